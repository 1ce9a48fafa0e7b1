"""Requests about caches."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from catalog.api.fields import Body

_LONGEST_NAME = 64


class PurgeRequest(Body):
    """What to purge: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"image": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"}]})

    image: Annotated[str | None, Field(max_length=_LONGEST_NAME, description="Id of an image.")] = None
    preset: Annotated[str | None, Field(max_length=_LONGEST_NAME, description="Name of a preset.")] = None
    all: Annotated[Literal[True] | None, Field(description="Everything of the tenant.")] = None

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Raise ValueError unless exactly one is given."""
        if sum(given is not None for given in (self.image, self.preset, self.all)) != 1:
            raise ValueError("Specify exactly one of image, preset and all.")
        return self
