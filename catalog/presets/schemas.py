"""Requests and answers about presets."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, StringConstraints, model_validator
from pydantic.config import JsonDict

from catalog.api.fields import Body, Name, View, check_text
from catalog.core.api_errors import FieldError, RecipeInvalid, ValidationFailed
from catalog.presets.service import Preset
from catalog.records.base import RECIPE_LENGTH
from proxy.core.errors import RecipeError
from proxy.core.recipe.presets import MOST_DPRS, MOST_WIDTHS, Ladder, parse_ladder

LARGEST_WIDTH, LARGEST_DPR = 100_000, 100.0

_VALUES: JsonDict = {"recipe": "w400-h300-q85-auto", "unsigned": True, "widths": [400, 800], "dprs": [2.0]}
_EXAMPLE: JsonDict = {"name": "card", "version": 2, **_VALUES, "dprs": [2.0], "created_at": "2026-11-24T12:00:00Z"}


def check_recipe(recipe: str) -> str:
    """Return a recipe. Raise ValueError for one that begins with a preset, and for text that cannot be one."""
    if check_text(recipe).startswith("~"):
        raise ValueError("A preset cannot refer to another: specify its options instead.")
    return recipe


class PresetWrite(Body):
    """The values of a preset; PUT replaces all of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VALUES]})

    recipe: Annotated[str, StringConstraints(min_length=1, max_length=RECIPE_LENGTH), AfterValidator(check_recipe)]
    unsigned: Annotated[StrictBool, Field(description="Serve it without a seal.")] = False
    widths: Annotated[
        list[Annotated[StrictInt, Field(ge=1, le=LARGEST_WIDTH)]],
        Field(max_length=MOST_WIDTHS, default_factory=list, description="Widths it is served at without a seal."),
    ]
    dprs: Annotated[
        list[Annotated[float, Field(strict=True, gt=0, le=LARGEST_DPR)]],
        Field(max_length=MOST_DPRS, default_factory=list, description="Pixel ratios it is served at without a seal."),
    ]

    @model_validator(mode="after")
    def _check_signed(self) -> Self:
        if (self.widths or self.dprs) and not self.unsigned:
            raise ValueError("Only an unsigned preset has widths and dprs: set unsigned to true, or leave them out.")
        return self

    def ladder(self) -> Ladder:
        """Return the sizes that an unsigned preset is served at. Raise ValidationFailed for one that is not a size."""
        try:
            return Ladder(
                _each("widths", [str(width) for width in self.widths]).widths,
                _each("dprs", [f"{dpr:.6g}" for dpr in self.dprs]).dprs,
            )
        except ValueError as error:
            raise ValidationFailed([FieldError("", "ladder", str(error))]) from None

    def refused(self, error: RecipeError) -> RecipeInvalid:
        """Return the error of a recipe as one of this body: of its recipe, or of a size together with it."""
        at = "/recipe" if error.text == self.recipe else "/widths" if self.widths else "/dprs"
        return RecipeInvalid(at, error)


class PresetCreate(PresetWrite):
    """A preset to be created."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "card", **_VALUES}]})

    name: Name


class PresetView(View):
    """One version of a preset; `recipe` is null in a version that deleted it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    version: int
    recipe: str | None
    unsigned: bool
    widths: list[int]
    dprs: list[float]
    created_at: datetime


def view_of(preset: Preset) -> PresetView:
    """Return a version of a preset as it is answered."""
    return PresetView(
        name=preset.name,
        version=preset.version,
        recipe=preset.recipe,
        unsigned=preset.unsigned,
        widths=list(preset.ladder.widths),
        dprs=[float(dpr) for dpr in preset.ladder.dprs],
        created_at=preset.created_at,
    )


def _each(field: str, texts: list[str]) -> Ladder:
    """Return the ladder of one list, each number of which is checked for itself."""
    for index, text in enumerate(texts):
        try:
            parse_ladder([text] if field == "widths" else [], [text] if field == "dprs" else [])
        except RecipeError as error:
            raise RecipeInvalid(f"/{field}/{index}", error) from None
    return parse_ladder(texts if field == "widths" else [], texts if field == "dprs" else [])
