"""A plan: the pixel work as exact integers. The pixel room obeys it and does no arithmetic of its own."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from proxy.core.formats import FORMATS, Format
from proxy.core.geometry import Box, Size, Turn

Interest = Literal["smart", "entropy"]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour in sRGB; each part 0…255, alpha 255 is opaque."""

    red: int
    green: int
    blue: int
    alpha: int = 255


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the derivative is written."""

    format: Format
    quality: int | None
    """1…100; None is lossless (PNG, GIF)."""
    effort: int
    """The encoder's own scale: WebP 0…6, AVIF 0…9, PNG compression 0…9, GIF 1…10; unused by JPEG."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One derivative's work, in the order in which it is done; sizes are of one frame, in pixels."""

    source: Format
    first_frame: int
    """Counted from 0."""
    frames: int
    load_shrink: int
    """The JPEG decoder's own reduction, 1, 2, 4 or 8."""
    crop: Box | None
    """A part of the stored picture, before its orientation is applied."""
    scaled: Size
    """The size after the resize, still in the stored orientation."""
    turn: Turn
    """From the stored orientation to the final one."""
    cut: Box | None
    """The part of the turned picture that a cover crop keeps."""
    interest: Interest | None
    """The cover crop's place is found by libvips; `cut` then gives its size alone."""
    canvas: Box | None
    """Where the picture lies (left, top) on a canvas (width, height)."""
    background: Colour | None
    """Below transparent pixels and around the picture; None keeps them transparent."""
    size: Size
    """The derivative's."""
    encoding: Encoding

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-ready values; the inverse of `from_dict`."""
        told = asdict(self)
        told["source"] = self.source.name
        told["encoding"]["format"] = self.encoding.format.name
        return told

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Rebuild a plan from `to_dict`'s values."""
        encoding = told["encoding"]
        return cls(
            source=FORMATS[told["source"]],
            first_frame=told["first_frame"],
            frames=told["frames"],
            load_shrink=told["load_shrink"],
            crop=_maybe(Box, told["crop"]),
            scaled=Size(**told["scaled"]),
            turn=Turn(**told["turn"]),
            cut=_maybe(Box, told["cut"]),
            interest=told["interest"],
            canvas=_maybe(Box, told["canvas"]),
            background=_maybe(Colour, told["background"]),
            size=Size(**told["size"]),
            encoding=Encoding(FORMATS[encoding["format"]], encoding["quality"], encoding["effort"]),
        )


def _maybe(kind: Any, told: dict[str, Any] | None) -> Any:  # noqa: ANN401 - one of three small dataclasses
    return None if told is None else kind(**told)
