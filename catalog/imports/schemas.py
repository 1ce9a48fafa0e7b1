"""Requests for imports."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from catalog.uploads.schemas import UploadForm
from proxy.core.url.source_reference import MAX_BYTES

_EXAMPLE: JsonDict = {"url": "https://img.example.com/photos/chair.jpg", "title": "Chair", "tags": ["blue"]}


class ImportBody(UploadForm):
    """An address within the tenant's sources, and the fields of an upload."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_BYTES),
        Field(description="`https://host/path` or `s3://bucket/key`, within one of the tenant's sources."),
    ]

    def fields(self) -> dict[str, Any]:
        """Return the fields of the upload, ready for JSON."""
        return self.model_dump(mode="json", exclude={"url"}, exclude_defaults=True)
