"""Values of options that consist of more than a number or a word."""

from dataclasses import dataclass
from fractions import Fraction

DEFAULT_POSITION = "se"
"""Position of a watermark or a text."""
DEFAULT_SIZE_PERCENT = 25
"""Largest share of each side of the picture that a watermark or a text covers, in percent."""
DEFAULT_OPACITY_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the upright original, in pixels or, if `relative`, in fractions of its sides."""

    left: Fraction
    top: Fraction
    width: Fraction
    height: Fraction
    relative: bool


@dataclass(frozen=True, slots=True)
class Focus:
    """A focal point, in fractions of the width and height of the picture, from its top left corner."""

    x: Fraction
    y: Fraction


@dataclass(frozen=True, slots=True)
class Edges:
    """Padding around a picture, in pixels."""

    top: int
    right: int
    bottom: int
    left: int


@dataclass(frozen=True, slots=True)
class Border:
    """A border in one colour (`rrggbb`); its width is in pixels."""

    width: int
    colour: str


@dataclass(frozen=True, slots=True)
class Duotone:
    """Two colours (`rrggbb`), which replace black and white."""

    dark: str
    light: str


@dataclass(frozen=True, slots=True)
class OverlayOption:
    """A watermark or a text on top of the picture."""

    content: str
    """The name of the watermark, or the text itself."""
    position: str = DEFAULT_POSITION
    """A compass direction, `c` for the centre, or `tile` for repetition."""
    size_percent: int = DEFAULT_SIZE_PERCENT
    """The share of each side of the picture that the overlay is fitted into."""
    opacity_percent: int = DEFAULT_OPACITY_PERCENT
