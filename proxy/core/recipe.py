"""A recipe: what a URL asks for, as values; unset options are None or False.

`str(recipe)` is its one spelling (see `options` for the words and `grammar` for the way back).
"""

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal

from proxy.core import options

Fit = Literal["cover", "contain", "fill", "inside", "outside"]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the upright original: pixels, or fractions of its sides where `relative`."""

    left: Fraction
    top: Fraction
    width: Fraction
    height: Fraction
    relative: bool


@dataclass(frozen=True, slots=True)
class Focus:
    """A focal point, as fractions of the picture's width and height from its top left."""

    x: Fraction
    y: Fraction


@dataclass(frozen=True, slots=True)
class Recipe:
    """One field per row of the option table, in its order."""

    frame: int | None = None
    """Counted from 1."""
    still: bool = False
    crop: Crop | None = None
    rot: int | None = None
    flip: bool = False
    flop: bool = False
    width: int | None = None
    height: int | None = None
    aspect: tuple[int, int] | None = None
    fit: Fit | None = None
    """None is the default: `cover` with both sides known, else `inside`."""
    up: bool = False
    dpr: Fraction | None = None
    gravity: str | None = None
    focus: Focus | None = None
    background: str | None = None
    """`rrggbb` or `rrggbbaa`."""
    quality: int | None = None
    format: str | None = None

    def __str__(self) -> str:
        """Give the canonical spelling: set options in the table's order, joined by `-`."""
        return "-".join(
            options.spell(getattr(self, one.name), one.name) for one in fields(self) if _is_set(getattr(self, one.name))
        )

    @property
    def both_sides(self) -> bool:
        """The target box is fully known: width and height, or one of them and an aspect ratio."""
        return sum(part is not None for part in (self.width, self.height, self.aspect)) >= 2  # noqa: PLR2004 - two of three

    @property
    def default_fit(self) -> Fit:
        """The fit that is meant when none is named."""
        return "cover" if self.both_sides else "inside"


def _is_set(value: object) -> bool:
    return value is not None and value is not False
