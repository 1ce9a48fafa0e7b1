"""Requests and answers of direct uploads."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from catalog.api.fields import Sha256, View, check_text
from catalog.core.upload_rules import LONGEST_NAME
from catalog.uploads.schemas import UploadForm

_MOST_BYTES = 2**53


class NewDirectUpload(UploadForm):
    """A file that is to be sent, and the fields of an upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"file_name": "chair.jpg", "size_bytes": 348_723, "title": "Chair", "tags": ["blue"]}]
        }
    )

    file_name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(check_text)]
    size_bytes: Annotated[int, Field(ge=1, le=_MOST_BYTES)]
    sha256: Sha256 | None = None

    def form(self) -> UploadForm:
        """Return the fields of an upload alone."""
        return UploadForm.model_validate(self.model_dump(exclude={"file_name", "size_bytes", "sha256"}))


class DirectUpload(View):
    """How to send the file: a form (POST: `fields` first, then `file`), or the bytes alone (PUT, with `headers`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
                    "method": "PUT",
                    "url": "https://img.example.com/api/uploads/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071/content?seal=…",
                    "fields": {},
                    "headers": {"content-type": "application/octet-stream"},
                    "expires_at": "2026-11-25T12:00:00Z",
                }
            ]
        }
    )

    id: str
    method: Literal["POST", "PUT"]
    url: str
    fields: dict[str, str]
    headers: dict[str, str]
    expires_at: datetime
