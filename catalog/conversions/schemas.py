"""Requests for conversions."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from catalog.api.fields import Body
from catalog.records.base import RECIPE_LENGTH, WORD_LENGTH


class ConvertRequest(Body):
    """Which format, what else to change, and what to keep."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"format": "webp", "recipe": "w1600-q80", "keep": "derivative"}]}
    )

    format: Annotated[str, Field(max_length=WORD_LENGTH, description="Name of a format that can be written.")]
    recipe: Annotated[
        str | None,
        Field(max_length=RECIPE_LENGTH, description="Options of a URL, without the format; none by default."),
    ] = None
    keep: Annotated[
        Literal["derivative", "image"],
        Field(description="`derivative`: render it for its URL. `image`: take it in as a new image."),
    ] = "derivative"
