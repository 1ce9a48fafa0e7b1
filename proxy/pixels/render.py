"""Render a plan: load, apply the steps below to each frame, encode.

Each step takes a picture and the plan, and returns a picture. Sizes and positions are the plan's; no step computes any.
The frames of an animation are processed one by one: a resize across the border of two frames would mix them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyvips

from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import GIF, JPEG, WEBP
from proxy.core.media.stripping import strip
from proxy.core.planning.plan import Interest, Plan
from proxy.pixels.colour import to_display
from proxy.pixels.effects import effects
from proxy.pixels.encode import encode
from proxy.pixels.faces import place_crop
from proxy.pixels.frame import border, channels, corners
from proxy.pixels.light import attached_signal
from proxy.pixels.metadata import rights_of
from proxy.pixels.overlay import RenderedOverlay, composite, render_overlays
from proxy.pixels.probe import probe
from proxy.pixels.rounding import rounded
from proxy.pixels.source import DECODE_ERRORS, open_image, to_refusal

_PLAIN = {"srgb", "b-w"}
Step = Callable[[pyvips.Image, Plan], pyvips.Image]


def render(fd: int, plan: Plan, watermark_fd: int | None = None) -> Derivative:
    """Render a derivative of the original behind `fd`.

    Raise CorruptImage if its pixels end early or do not decode, LimitExceeded if a byte budget cannot be met.
    """
    try:
        loaded = _load(fd, plan)
        overlays = render_overlays(plan, watermark_fd)
        picture = loaded.join(_process(loaded.frames(), plan, overlays))
        body = encode(picture, plan.encoding, loaded.image)
        if plan.untouched:
            body = _smaller(body, fd, loaded.image, plan)
        return Derivative(body, plan.encoding.format, plan.size.width, plan.size.height)
    except DECODE_ERRORS as error:
        raise to_refusal(error) from error


def _smaller(body: bytes, fd: int, image: pyvips.Image, plan: Plan) -> bytes:
    """Return the original without metadata if that is smaller, upright, of eight bits, and has no rights to keep."""
    size = os.fstat(fd).st_size
    plain = image.format == "uchar" and image.interpretation in _PLAIN and plan.turn == Turn()
    if size >= 2 * len(body) or not plain or attached_signal(image) or rights_of(image):
        return body
    stripped = strip(os.pread(fd, size, 0), plan.source)
    return body if stripped is None or len(stripped) >= len(body) else stripped


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The loaded frames, one below the other, as libvips stores an animation."""

    image: pyvips.Image
    count: int

    def frames(self) -> list[pyvips.Image]:
        if self.count == 1:
            return [self.image]
        height = self.image.height // self.count
        return [self.image.crop(0, number * height, self.image.width, height) for number in range(self.count)]

    def join(self, frames: list[pyvips.Image]) -> pyvips.Image:
        """Join processed frames again, with the timing and the loop count of the animation."""
        if self.count == 1:
            return frames[0]
        joined = pyvips.Image.arrayjoin(frames, across=1).copy()
        joined.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
        for name in ("delay", "loop"):
            if self.image.get_typeof(name):
                joined.set_type(self.image.get_typeof(name), name, self.image.get(name))
        return joined


def _load(fd: int, plan: Plan) -> _Loaded:
    if plan.load is not None:
        return _Loaded(_draw(fd, plan, plan.load), 1)
    options: dict[str, int] = {}
    if plan.source is JPEG:
        options["shrink"] = plan.load_shrink
    if plan.source in (GIF, WEBP):
        options["n"] = plan.frames
    return _Loaded(open_image(fd, plan.source, plan.first_frame, **options), plan.frames)


def _draw(fd: int, plan: Plan, size: Size) -> pyvips.Image:
    """Draw a vector picture at a size; the renderer rounds the size, so a resize by one pixel may follow."""
    nominal = probe(fd, plan.first_frame).width
    return open_image(fd, plan.source, plan.first_frame, scale=size.width / nominal)


def _process(frames: list[pyvips.Image], plan: Plan, overlays: list[RenderedOverlay]) -> list[pyvips.Image]:
    """Apply all steps to all frames. If the position of the crop depends on the pixels, the first frame decides it."""
    processed = []
    for frame in frames:
        upright = _apply(BEFORE_CUT, frame, plan)
        if plan.cut is not None and plan.interest is not None:
            plan = replace(plan, cut=_place_cut(upright, plan.cut.size, plan.interest), interest=None)
        picture = composite(_apply(FROM_CUT, upright, plan), overlays)
        # Frames are decoded in order from one forward-only source: finish each before the next one starts.
        processed.append(picture.copy_memory() if plan.frames > 1 else picture)
    return processed


def _apply(steps: tuple[Step, ...], frame: pyvips.Image, plan: Plan) -> pyvips.Image:
    for step in steps:
        frame = step(frame, plan)
    return frame


def _place_cut(image: pyvips.Image, size: Size, interest: Interest) -> Box:
    """Find the position of a crop: by faces, or by libvips `smartcrop`; without any face, by attention."""
    if interest == "face" and (box := place_crop(image, size)) is not None:
        return box
    interesting = "entropy" if interest == "entropy" else "attention"
    cropped = image.smartcrop(size.width, size.height, interesting=interesting)
    return Box(-cropped.xoffset, -cropped.yoffset, size.width, size.height)


def crop(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Crop the stored picture to the requested part (libvips `extract_area`)."""
    if plan.crop is None:
        return image
    return image.crop(plan.crop.left, plan.crop.top, plan.crop.width, plan.crop.height)


def resize(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Resize to the exact size (libvips `resize`, Lanczos3). Alpha is premultiplied, so no hidden colour leaks."""
    if (image.width, image.height) == (plan.scaled.width, plan.scaled.height):
        return image
    if plan.linear_light:
        return _resize_linear(image, plan)
    alpha, band_format = image.hasalpha(), image.format
    image = image.premultiply() if alpha else image
    image = image.resize(plan.scaled.width / image.width, vscale=plan.scaled.height / image.height)
    return rounded(image.unpremultiply(), band_format) if alpha else image


def _resize_linear(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Resize in linear light (libvips `scRGB`), after converting to sRGB, or to Display P3, whose curve is the same."""
    image = to_display(image, wide=plan.wide_gamut).colourspace("scrgb")
    alpha = image.hasalpha()
    image = image.premultiply() if alpha else image
    image = image.resize(plan.scaled.width / image.width, vscale=plan.scaled.height / image.height)
    return (image.unpremultiply() if alpha else image).colourspace("srgb")


def sharpen_downscaled(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Sharpen slightly after a reduction (libvips `sharpen`)."""
    if not plan.sharpen_downscaled:
        return image
    alpha = image.extract_band(image.bands - 1) if image.hasalpha() else None
    sharp = (image if alpha is None else image.extract_band(0, n=image.bands - 1)).sharpen(sigma=0.6, m1=0, m2=1.5)
    return sharp if alpha is None else sharp.bandjoin(alpha)


def colour(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Convert the pixels, few after the resize, to 8 bits of the output's colour space."""
    return to_display(image, wide=plan.wide_gamut)


def turn(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Set upright and rotate (libvips `fliphor`, `rot`). The orientation is removed, or AVIF would apply it again."""
    image = image.copy()
    image.remove("orientation")
    if plan.turn == Turn() and plan.interest is None:
        return image
    image = image.copy_memory()  # the next steps read out of order; the source is forward-only
    image = image.fliphor() if plan.turn.mirrored else image
    return image.rot(f"d{plan.turn.quarters * 90}") if plan.turn.quarters else image


def cut(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Cut off what exceeds the box of a cover fit (libvips `extract_area`)."""
    if plan.cut is None:
        return image
    return image.crop(plan.cut.left, plan.cut.top, plan.cut.width, plan.cut.height)


def flatten(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Composite onto the background (libvips `flatten`; `composite2` if the background is itself transparent)."""
    if plan.background is None or not image.hasalpha():
        return image
    rgb = channels(plan.background)
    if plan.background.alpha == 255:  # noqa: PLR2004 - opaque
        return image.colourspace("srgb").flatten(background=rgb)
    image = image.colourspace("srgb")
    return (
        image.new_from_image([*rgb, plan.background.alpha])
        .copy(interpretation="srgb")
        .composite2(image, "over")
        .cast("uchar")
    )


def canvas(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Place the picture on its canvas (libvips `embed`), which is transparent if there is no background."""
    if plan.canvas is None:
        return image
    background = plan.background
    image = image.colourspace("srgb")
    if background is None or background.alpha < 255:  # noqa: PLR2004 - opaque
        image = image if image.hasalpha() else image.addalpha()
    fill = [0, 0, 0, 0] if background is None else [*channels(background), background.alpha]
    return image.embed(
        plan.canvas.left,
        plan.canvas.top,
        plan.canvas.width,
        plan.canvas.height,
        extend="background",
        background=fill[: image.bands],
    )


BEFORE_CUT: tuple[Step, ...] = (crop, resize, colour, sharpen_downscaled, turn)
FROM_CUT: tuple[Step, ...] = (cut, effects, flatten, canvas, border, corners)
