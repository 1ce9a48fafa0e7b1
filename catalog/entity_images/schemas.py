"""Requests and answers about the images of an entity."""

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from catalog.api.fields import Body, Identifier, View
from catalog.core.entity_order import MAX_IMAGES
from catalog.images.schemas import ImageView

_IDS: list[JsonValue] = ["019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6072"]


class LinkWrite(Body):
    """How an image is linked; what is left out stays as it is, or is last and not primary."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"primary": True, "position": 0}]})

    primary: Annotated[
        bool | None, Field(description="False lets another image be the primary one, if there is one.")
    ] = None
    position: Annotated[int | None, Field(ge=0, le=MAX_IMAGES, description="0 is the first.")] = None


class OrderWrite(Body):
    """All images of the entity, in their new order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": _IDS}]})

    ids: Annotated[list[Identifier], Field(max_length=MAX_IMAGES)]


class PrimaryWrite(Body):
    """The new primary image; it is linked already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": _IDS[0]}]})

    id: Identifier


class OrderView(View):
    """The order of an entity's images."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "product", "id": "42", "primary": _IDS[0], "ids": _IDS}]}
    )

    type: str
    id: str
    primary: str | None
    ids: list[str]


class EntityImagesView(View):
    """One page of an entity's images, in order."""

    type: str
    id: str
    primary: str | None = Field(description="Id of the primary image; null if the entity has no images.")
    items: list[ImageView]
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last one.")
