"""Answers about versions of an image."""

from datetime import datetime

from pydantic import ConfigDict, Field

from catalog.api.fields import View
from catalog.records.image import Image, ImageVersion


class VersionView(View):
    """One original that an image stands or stood on; sides are upright, in pixels."""

    number: int
    original: str
    file_name: str | None
    media_type: str
    size_bytes: int
    width: int
    height: int
    created_at: datetime
    created_by: str
    current: bool = Field(description="Whether the image stands on it now.")


class VersionsView(View):
    """The versions of an image, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "versions": [
                        {
                            "number": 1,
                            "original": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                            "file_name": "chair.jpg",
                            "media_type": "image/jpeg",
                            "size_bytes": 348_723,
                            "width": 3_000,
                            "height": 2_000,
                            "created_at": "2026-11-24T12:00:00Z",
                            "created_by": "token:4fQ2mXb81LsA",
                            "current": True,
                        }
                    ]
                }
            ]
        }
    )

    versions: list[VersionView]


def view_of(row: ImageVersion, image: Image) -> VersionView:
    """Return a version as it is answered."""
    values = row.model_dump(include=set(VersionView.model_fields))
    return VersionView(**values, current=row.number == image.number)
