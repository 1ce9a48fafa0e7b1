"""A plan: the work of rendering a derivative, as exact integers.

The sandboxed worker executes a plan without computing any geometry of its own.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.formats import FORMATS, Format

Interest = Literal["smart", "entropy", "face"]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour in sRGB; each component is 0…255, and an alpha of 255 is opaque."""

    red: int
    green: int
    blue: int
    alpha: int = 255


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect: its name in `proxy.pixels.effects`, and its parameters, which are documented there."""

    name: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A border that surrounds the picture; its width is in pixels."""

    width: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Overlay:
    """A text or a watermark on top of the finished picture."""

    text: str | None
    """The text; None for the watermark, whose file is passed to the worker with the plan."""
    box: Size
    """The overlay is scaled to fit into this size."""
    position: str
    """A compass direction, `c` for the centre, or `tile` for repetition."""
    margin: int
    """Distance from the edges of the picture, in pixels."""
    opacity: int
    """In percent."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoder parameters of a derivative."""

    format: Format
    quality: int | None
    """1…100; None if the format or the encoding is lossless."""
    effort: int
    """On the scale of the encoder: WebP 0…6, AVIF 0…9, PNG compression 0…9, GIF 1…10; unused by JPEG and TIFF."""
    lossless: bool = False
    """Encode WebP, AVIF or JPEG XL without loss."""
    progressive: bool = False
    """Write progressive JPEG scans, or interlaced PNG and GIF."""
    keep: bool = False
    """Preserve EXIF, XMP and IPTC, except for the location; otherwise only the copyright is preserved."""
    profile: bool = False
    """Embed a colour profile, because colours may be outside sRGB."""
    target: str | None = None
    """`low`, `good` or `best`: the quality is searched, starting at `quality`."""
    budget_bytes: int | None = None
    """Largest size of the body, for which the highest quality is searched."""


@dataclass(frozen=True, slots=True)
class Page:
    """A request for the facts of a page, counted from 0, which are required before a plan can be made."""

    number: int


@dataclass(frozen=True, slots=True)
class Trim:
    """A request for the box inside a border of the colour of the corner, which is required before a plan can be made.

    The answer is a Box that is relative to `crop`.
    """

    source: Format
    first_frame: int
    crop: Box
    """The part of the stored picture that is examined."""
    corner: tuple[int, int]
    """The pixel that has the colour of the border: (x, y) within `crop`."""
    tolerance: int
    """Largest difference from the colour of the border, 1…255."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return a request from its values as decoded from JSON."""
        crop, corner = Box(**values["crop"]), values["corner"]
        return cls(FORMATS[values["source"]], values["first_frame"], crop, (corner[0], corner[1]), values["tolerance"])


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of rendering one derivative, in their order; sizes are in pixels, of one frame."""

    source: Format
    first_frame: int
    """The first frame or page to load, counted from 0."""
    frames: int
    load: Size | None
    """The size at which a vector picture is drawn; None for the default size, and for other formats."""
    load_shrink: int
    """Factor by which the JPEG decoder reduces the picture: 1, 2, 4 or 8."""
    crop: Box | None
    """The part of the stored picture to use, before its orientation is applied; None for all of it."""
    scaled: Size
    """The size after the resize, in the stored orientation."""
    wide_gamut: bool
    """Preserve colours outside sRGB, as Display P3."""
    linear_light: bool
    """Resize in linear light instead of sRGB values."""
    sharpen_downscaled: bool
    """Sharpen slightly after the resize, which is a reduction."""
    turn: Turn
    """The turn from the stored orientation to the final one."""
    cut: Box | None
    """The part of the turned picture that a cover crop retains; None for all of it."""
    interest: Interest | None
    """How the position of the cover crop is found in the pixels; only the size of `cut` is used then."""
    effects: tuple[Effect, ...]
    canvas: Box | None
    """The position of the picture (left, top) on a canvas (width, height); None for no canvas."""
    background: Colour | None
    """The colour below transparent pixels and of the canvas; None leaves them transparent."""
    border: Line | None
    radius: int | None
    """Radius of the rounded corners; None for no rounding."""
    outside: Colour | None
    """The colour outside the rounded corners; None makes it transparent."""
    overlays: tuple[Overlay, ...]
    size: Size
    """The size of the derivative."""
    untouched: bool
    """No visible change is requested: if encoding enlarges the file, the encoded pixels of the original are used."""
    encoding: Encoding

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-compatible values; the inverse of `from_dict`."""
        values = asdict(self)
        values["source"] = self.source.name
        values["encoding"]["format"] = self.encoding.format.name
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return a plan from the values of `to_dict`, also after a conversion to JSON and back."""
        border = values["border"]
        return cls(
            **values
            | {
                "source": FORMATS[values["source"]],
                "load": _optional(Size, values["load"]),
                "crop": _optional(Box, values["crop"]),
                "scaled": Size(**values["scaled"]),
                "turn": Turn(**values["turn"]),
                "cut": _optional(Box, values["cut"]),
                "effects": tuple(Effect(effect["name"], tuple(effect["numbers"])) for effect in values["effects"]),
                "canvas": _optional(Box, values["canvas"]),
                "background": _optional(Colour, values["background"]),
                "border": border and Line(border["width"], Colour(**border["colour"])),
                "outside": _optional(Colour, values["outside"]),
                "overlays": tuple(Overlay(**item | {"box": Size(**item["box"])}) for item in values["overlays"]),
                "size": Size(**values["size"]),
                "encoding": Encoding(**values["encoding"] | {"format": FORMATS[values["encoding"]["format"]]}),
            }
        )


def _optional(kind: Any, values: dict[str, Any] | None) -> Any:  # noqa: ANN401 - a small dataclass
    return None if values is None else kind(**values)
