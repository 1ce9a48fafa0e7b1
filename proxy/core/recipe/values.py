"""The values of options that are more than a number or a word."""

from dataclasses import dataclass
from fractions import Fraction

CORNER = "se"
"""Where a watermark or a text lies unless it says where."""
SHARE = 25
"""How much of each side it takes, in percent, unless it says how much."""


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
class Edges:
    """Space around a picture, in pixels."""

    top: int
    right: int
    bottom: int
    left: int


@dataclass(frozen=True, slots=True)
class Border:
    """A frame of one colour (`rrggbb`), its width in pixels."""

    width: int
    colour: str


@dataclass(frozen=True, slots=True)
class Duotone:
    """Two colours (`rrggbb`), for the dark end and for the light one."""

    dark: str
    light: str


@dataclass(frozen=True, slots=True)
class OverlayOption:
    """Something laid over the picture: a watermark's name, or a text."""

    what: str
    where: str = CORNER
    """A point of the compass, `c` for the centre, or `tile`."""
    share: int = SHARE
    """Percent of the picture's sides it fits into."""
    opacity: int = 100
    """Percent."""
