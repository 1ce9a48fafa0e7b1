"""A plan: the pixel work as exact integers. The pixel room obeys it and does no arithmetic of its own."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.formats import FORMATS, Format

Interest = Literal["smart", "entropy", "face"]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour in sRGB; each part 0…255, alpha 255 is opaque."""

    red: int
    green: int
    blue: int
    alpha: int = 255


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect: its name in `proxy.pixels.effects`, and its numbers (see there)."""

    name: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A border around the picture, outside of it; its width in pixels."""

    width: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Overlay:
    """A text, or a watermark, laid over the finished picture."""

    text: str | None
    """None is the watermark, whose file comes with the plan."""
    box: Size
    """It is made as large as fits into this."""
    where: str
    """A point of the compass, `c`, or `tile`."""
    margin: int
    """Between it and the picture's edges, in pixels."""
    opacity: int
    """Percent."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the derivative is written."""

    format: Format
    quality: int | None
    """1…100; None is lossless (PNG, GIF, TIFF)."""
    effort: int
    """The encoder's own scale: WebP 0…6, AVIF 0…9, PNG compression 0…9, GIF 1…10; unused by JPEG and TIFF."""
    lossless: bool = False
    """WebP and AVIF, which have both ways."""
    progressive: bool = False
    """JPEG scans, PNG and GIF interlacing."""
    keep: bool = False
    """Keep EXIF, XMP and IPTC, without the place; else the copyright alone."""
    profile: bool = False
    """Write the colour profile: colours may be beyond sRGB."""
    target: str | None = None
    """`low`, `good` or `best`: the quality is searched for, and `quality` is where the search begins."""
    budget_bytes: int | None = None
    """The highest quality whose body is at most this long."""


@dataclass(frozen=True, slots=True)
class Page:
    """A question to the header before there can be a plan: the facts of this page, counted from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class Trim:
    """A question to the pixels before there can be a plan: what is left without the border of the corner's colour.

    The answer is a Box, relative to `crop`.
    """

    source: Format
    first_frame: int
    crop: Box
    """The part of the stored picture that is looked at."""
    corner: tuple[int, int]
    """The pixel whose colour is the border's: (x, y) within `crop`."""
    tolerance: int
    """1…255."""

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Rebuild a question from its values as JSON gives them."""
        crop, corner = Box(**told["crop"]), told["corner"]
        return cls(FORMATS[told["source"]], told["first_frame"], crop, (corner[0], corner[1]), told["tolerance"])


@dataclass(frozen=True, slots=True)
class Plan:
    """One derivative's work, in the order in which it is done; sizes are of one frame, in pixels."""

    source: Format
    first_frame: int
    """Counted from 0: a frame or a page."""
    frames: int
    load: Size | None
    """The size at which a vector is drawn."""
    load_shrink: int
    """The JPEG decoder's own reduction, 1, 2, 4 or 8."""
    crop: Box | None
    """A part of the stored picture, before its orientation is applied."""
    scaled: Size
    """The size after the resize, still in the stored orientation."""
    wide_gamut: bool
    """Keep colours beyond sRGB, as Display P3."""
    linear_light: bool
    """Resize in linear light."""
    sharpen_downscaled: bool
    """Sharpen a little what was made smaller."""
    turn: Turn
    """From the stored orientation to the final one."""
    cut: Box | None
    """The part of the turned picture that a cover crop keeps."""
    interest: Interest | None
    """The cover crop's place is found by libvips; `cut` then gives its size alone."""
    effects: tuple[Effect, ...]
    canvas: Box | None
    """Where the picture lies (left, top) on a canvas (width, height)."""
    background: Colour | None
    """Below transparent pixels and around the picture; None keeps them transparent."""
    border: Line | None
    radius: int | None
    """Of the corners; what is outside of them is transparent, or `outside` where the format has no alpha."""
    outside: Colour | None
    overlays: tuple[Overlay, ...]
    size: Size
    """The derivative's."""
    untouched: bool
    """Nothing that can be seen is asked for: where the original is smaller, its own pixels may be the answer."""
    encoding: Encoding

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-ready values; the inverse of `from_dict`."""
        told = asdict(self)
        told["source"] = self.source.name
        told["encoding"]["format"] = self.encoding.format.name
        return told

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Rebuild a plan from `to_dict`'s values, or from those values as JSON gives them back."""
        border = told["border"]
        return cls(
            **told
            | {
                "source": FORMATS[told["source"]],
                "load": _maybe(Size, told["load"]),
                "crop": _maybe(Box, told["crop"]),
                "scaled": Size(**told["scaled"]),
                "turn": Turn(**told["turn"]),
                "cut": _maybe(Box, told["cut"]),
                "effects": tuple(Effect(one["name"], tuple(one["numbers"])) for one in told["effects"]),
                "canvas": _maybe(Box, told["canvas"]),
                "background": _maybe(Colour, told["background"]),
                "border": border and Line(border["width"], Colour(**border["colour"])),
                "outside": _maybe(Colour, told["outside"]),
                "overlays": tuple(Overlay(**one | {"box": Size(**one["box"])}) for one in told["overlays"]),
                "size": Size(**told["size"]),
                "encoding": Encoding(**told["encoding"] | {"format": FORMATS[told["encoding"]["format"]]}),
            }
        )


def _maybe(kind: Any, told: dict[str, Any] | None) -> Any:  # noqa: ANN401 - one of a few small dataclasses
    return None if told is None else kind(**told)
