"""A recipe: the options of a URL as values. Options that are not given are None or False.

`str(recipe)` is the canonical form (see `options` for the option table and `grammar` for the parser).
"""

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal

from proxy.core.recipe import options
from proxy.core.recipe.values import Border, Crop, Duotone, Edges, Focus, OverlayOption

Fit = Literal["cover", "contain", "fill", "inside", "outside"]
Target = Literal["low", "good", "best"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One field per row of the option table, in the same order."""

    preset: str | None = None
    page: int | None = None
    """Counted from 1, like `frame`."""
    frame: int | None = None
    still: bool = False
    crop: Crop | None = None
    trim: int | None = None
    rot: int | None = None
    flip: bool = False
    flop: bool = False
    width: int | None = None
    height: int | None = None
    aspect: tuple[int, int] | None = None
    fit: Fit | None = None
    """None is the default: `cover` if both sides are known, else `inside`."""
    up: bool = False
    dpr: Fraction | None = None
    gravity: str | None = None
    focus: Focus | None = None
    blur: Fraction | None = None
    sharpen: Fraction | None = None
    pixelate: int | None = None
    brightness: Fraction | None = None
    contrast: Fraction | None = None
    saturation: Fraction | None = None
    hue: int | None = None
    gamma: Fraction | None = None
    gray: bool = False
    sepia: bool = False
    invert: bool = False
    tint: str | None = None
    duotone: Duotone | None = None
    pad: Edges | None = None
    border: Border | None = None
    round: int | None = None
    """The radius; 0 for the largest possible one."""
    background: str | None = None
    """`rrggbb` or `rrggbbaa`."""
    watermark: OverlayOption | None = None
    text: OverlayOption | None = None
    quality: int | None = None
    target: Target | None = None
    budget: int | None = None
    """Size of the body in KiB."""
    lossless: bool = False
    prog: bool = False
    keep: bool = False
    dl: bool = False
    format: str | None = None

    def __str__(self) -> str:
        """Return the canonical form: the options that are set, in the order of the table, joined by `-`."""
        return "-".join(options.write_option(name, value) for name in _FIELDS if is_set(value := getattr(self, name)))

    @property
    def both_sides(self) -> bool:
        """Whether the target box is known: width and height are set, or one of them and an aspect ratio."""
        return sum(part is not None for part in (self.width, self.height, self.aspect)) >= 2  # noqa: PLR2004 - two of three

    @property
    def default_fit(self) -> Fit:
        """The fit if none is set."""
        return "cover" if self.both_sides else "inside"

    @property
    def crops_to_cover(self) -> bool:
        """Whether the picture is cropped to fill the box, so that gravity and focal point apply."""
        return self.both_sides and self.fit in (None, "cover")


_FIELDS = tuple(field.name for field in fields(Recipe))


def is_set(value: object) -> bool:
    """Return whether the value of a field is set."""
    return value is not None and value is not False
