"""Render a plan: load, then the steps below for each frame, then encode.

Each step takes the picture and the plan and gives the picture; sizes and places are the plan's, so no step computes
any. Frames of an animation go
through the steps one by one: a resize across the joint of two frames would let each bleed into the other.
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
from proxy.pixels.faces import place
from proxy.pixels.frame import border, corners
from proxy.pixels.light import noted
from proxy.pixels.metadata import rights_of
from proxy.pixels.overlay import RenderedOverlay, lay, render_overlays
from proxy.pixels.probe import probe
from proxy.pixels.rounding import rounded
from proxy.pixels.source import open_image, refusal

_PLAIN = {"srgb", "b-w"}
Step = Callable[[pyvips.Image, Plan], pyvips.Image]


def render(fd: int, plan: Plan, watermark_fd: int | None = None) -> Derivative:
    """Develop one derivative from the original behind `fd`; CorruptImage when its pixels end early or do not decode."""
    try:
        film = _load(fd, plan)
        overlays = render_overlays(plan, watermark_fd)
        picture = film.join(_develop(film.frames(), plan, overlays))
        body = encode(picture, plan.encoding, film.image)
        if plan.untouched:
            body = _smaller(body, fd, film.image, plan)
        return Derivative(body, plan.encoding.format, plan.size.width, plan.size.height)
    except pyvips.Error as error:
        raise refusal(error) from error


def _smaller(body: bytes, fd: int, image: pyvips.Image, plan: Plan) -> bytes:
    """Give the original's own pixels where they are smaller, upright, of eight bits, and nobody's right is told."""
    size = os.fstat(fd).st_size
    plain = image.format == "uchar" and image.interpretation in _PLAIN and plan.turn == Turn()
    if size >= 2 * len(body) or not plain or noted(image) or rights_of(image):
        return body
    stripped = strip(os.pread(fd, size, 0), plan.source)
    return body if stripped is None or len(stripped) >= len(body) else stripped


@dataclass(frozen=True, slots=True)
class _Film:
    """The loaded frames, one below the other, as libvips holds an animation."""

    image: pyvips.Image
    count: int

    def frames(self) -> list[pyvips.Image]:
        if self.count == 1:
            return [self.image]
        height = self.image.height // self.count
        return [self.image.crop(0, at * height, self.image.width, height) for at in range(self.count)]

    def join(self, frames: list[pyvips.Image]) -> pyvips.Image:
        """Put developed frames together again, with the animation's timing and loop."""
        if self.count == 1:
            return frames[0]
        joined = pyvips.Image.arrayjoin(frames, across=1).copy()
        joined.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
        for name in ("delay", "loop"):
            if self.image.get_typeof(name):
                joined.set_type(self.image.get_typeof(name), name, self.image.get(name))
        return joined


def _load(fd: int, plan: Plan) -> _Film:
    if plan.load is not None:
        return _Film(_draw(fd, plan, plan.load), 1)
    options: dict[str, int] = {}
    if plan.source is JPEG:
        options["shrink"] = plan.load_shrink
    if plan.source in (GIF, WEBP):
        options["n"] = plan.frames
    return _Film(open_image(fd, plan.source, plan.first_frame, **options), plan.frames)


def _draw(fd: int, plan: Plan, size: Size) -> pyvips.Image:
    """Draw a vector picture at a size; the drawer rounds the scale's result, so a resize by a pixel may follow."""
    nominal = probe(fd, plan.first_frame).width
    return open_image(fd, plan.source, plan.first_frame, scale=size.width / nominal)


def _develop(frames: list[pyvips.Image], plan: Plan, overlays: list[RenderedOverlay]) -> list[pyvips.Image]:
    """Take all frames through the steps; the first one decides on a place that is in the pixels, for all of them."""
    done = []
    for frame in frames:
        turned = _through(BEFORE_CUT, frame, plan)
        if plan.cut is not None and plan.interest is not None:
            plan = replace(plan, cut=_find_place(turned, plan.cut.size, plan.interest), interest=None)
        made = lay(_through(FROM_CUT, turned, plan), overlays)
        # Frames are decoded in order from one forward-only source: finish each before the next one starts.
        done.append(made.copy_memory() if plan.frames > 1 else made)
    return done


def _through(steps: tuple[Step, ...], frame: pyvips.Image, plan: Plan) -> pyvips.Image:
    for step in steps:
        frame = step(frame, plan)
    return frame


def _find_place(image: pyvips.Image, kept: Size, interest: Interest) -> Box:
    """Find a crop's place: faces, or libvips `smartcrop`; where there is no face, attention takes their place."""
    if interest == "face" and (found := place(image, kept)) is not None:
        return found
    interesting = "entropy" if interest == "entropy" else "attention"
    cropped = image.smartcrop(kept.width, kept.height, interesting=interesting)
    return Box(-cropped.xoffset, -cropped.yoffset, kept.width, kept.height)


def crop(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Keep the asked part of the stored picture (libvips `extract_area`)."""
    if plan.crop is None:
        return image
    return image.crop(plan.crop.left, plan.crop.top, plan.crop.width, plan.crop.height)


def resize(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Resize to the exact size (libvips `resize`, Lanczos3); alpha is premultiplied, so no hidden colour leaks."""
    if (image.width, image.height) == (plan.scaled.width, plan.scaled.height):
        return image
    if plan.linear_light:
        return _resize_linear(image, plan)
    alpha, kind = image.hasalpha(), image.format
    image = image.premultiply() if alpha else image
    image = image.resize(plan.scaled.width / image.width, vscale=plan.scaled.height / image.height)
    return rounded(image.unpremultiply(), kind) if alpha else image


def _resize_linear(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Resize in linear light (libvips `scRGB`), after colours became sRGB, or Display P3, whose curve is the same."""
    image = to_display(image, wide=plan.wide_gamut).colourspace("scrgb")
    alpha = image.hasalpha()
    image = image.premultiply() if alpha else image
    image = image.resize(plan.scaled.width / image.width, vscale=plan.scaled.height / image.height)
    return (image.unpremultiply() if alpha else image).colourspace("srgb")


def crisp(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Sharpen a little what was made smaller (libvips `sharpen`)."""
    if not plan.sharpen_downscaled:
        return image
    alpha = image.extract_band(image.bands - 1) if image.hasalpha() else None
    sharp = (image if alpha is None else image.extract_band(0, n=image.bands - 1)).sharpen(sigma=0.6, m1=0, m2=1.5)
    return sharp if alpha is None else sharp.bandjoin(alpha)


def colour(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Bring the few pixels that are left to what is shown, 8 bits."""
    return to_display(image, wide=plan.wide_gamut)


def turn(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Set upright and rotate (libvips `fliphor`, `rot`); the orientation is forgotten, or AVIF would apply it again."""
    image = image.copy()
    image.remove("orientation")
    if plan.turn == Turn() and plan.interest is None:
        return image
    image = image.copy_memory()  # what follows reads out of order; the source only runs forward
    image = image.fliphor() if plan.turn.mirrored else image
    return image.rot(f"d{plan.turn.quarters * 90}") if plan.turn.quarters else image


def cut(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Keep the cover crop (libvips `extract_area`)."""
    if plan.cut is None:
        return image
    return image.crop(plan.cut.left, plan.cut.top, plan.cut.width, plan.cut.height)


def flatten(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Lay transparent pixels over the background (libvips `flatten`; `composite2` where that is itself clear)."""
    if plan.background is None or not image.hasalpha():
        return image
    paint = [plan.background.red, plan.background.green, plan.background.blue]
    if plan.background.alpha == 255:  # noqa: PLR2004 - opaque
        return image.colourspace("srgb").flatten(background=paint)
    image = image.colourspace("srgb")
    return (
        image.new_from_image([*paint, plan.background.alpha])
        .copy(interpretation="srgb")
        .composite2(image, "over")
        .cast("uchar")
    )


def canvas(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Lay the picture on its canvas (libvips `embed`); the canvas is clear where no background is."""
    if plan.canvas is None:
        return image
    paint = plan.background
    image = image.colourspace("srgb")
    if paint is None or paint.alpha < 255:  # noqa: PLR2004 - opaque
        image = image if image.hasalpha() else image.addalpha()
    ground = [0, 0, 0, 0] if paint is None else [paint.red, paint.green, paint.blue, paint.alpha]
    return image.embed(
        plan.canvas.left,
        plan.canvas.top,
        plan.canvas.width,
        plan.canvas.height,
        extend="background",
        background=ground[: image.bands],
    )


BEFORE_CUT: tuple[Step, ...] = (crop, resize, colour, crisp, turn)
FROM_CUT: tuple[Step, ...] = (cut, effects, flatten, canvas, border, corners)
