"""Requests and answers about watermarks."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from catalog.api.fields import Body, Identifier, Sha256, View
from catalog.watermarks.service import Watermark

WatermarkName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9]{0,31}$")]

_VALUES: JsonDict = {"image": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"}
_EXAMPLE: JsonDict = {
    "name": "logo",
    "original": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "width": 400,
    "height": 120,
    "updated_at": "2026-11-24T12:00:00Z",
}


class WatermarkWrite(Body):
    """What a watermark shows: an image of the tenant that is ready, or the original of one by its SHA-256."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VALUES]})

    image: Annotated[Identifier | None, Field(description="Id of an image.")] = None
    original: Annotated[Sha256 | None, Field(description="SHA-256 of an original.")] = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.image is None) == (self.original is None):
            raise ValueError("Specify either image or original.")
        return self


class WatermarkCreate(WatermarkWrite):
    """A watermark to be created."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "logo", **_VALUES}]})

    name: WatermarkName


class WatermarkView(View):
    """A watermark; sides in pixels, upright."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    original: str
    width: int
    height: int
    updated_at: datetime


def view_of(mark: Watermark) -> WatermarkView:
    """Return a watermark as it is answered."""
    return WatermarkView(
        name=mark.name, original=mark.original, width=mark.width, height=mark.height, updated_at=mark.created_at
    )
