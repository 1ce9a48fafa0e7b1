"""Overlays of a finished picture: a watermark, a line of text."""

from dataclasses import dataclass

import pyvips

from proxy.core.media.formats import VECTORS
from proxy.core.planning.plan import Overlay, Plan
from proxy.pixels.colour import to_display
from proxy.pixels.lettering import draw_text
from proxy.pixels.probe import probe
from proxy.pixels.rounding import rounded
from proxy.pixels.source import open_image


@dataclass(frozen=True, slots=True)
class RenderedOverlay:
    """An overlay's picture, sRGB with alpha, in memory; it is composited onto every frame."""

    image: pyvips.Image
    overlay: Overlay


def render_overlays(plan: Plan, watermark_fd: int | None) -> list[RenderedOverlay]:
    """Render the plan's overlays. Raise UnsupportedFormat or CorruptImage if the watermark cannot be decoded."""
    return [RenderedOverlay(_render(overlay, watermark_fd), overlay) for overlay in plan.overlays]


def composite(image: pyvips.Image, overlays: list[RenderedOverlay]) -> pyvips.Image:
    """Composite overlays onto a picture (libvips `composite2`). Grey becomes sRGB; alpha is not added or dropped."""
    for overlay in overlays:
        image = image.colourspace("srgb")
        combined = image.composite2(_positioned(image, overlay), "over").cast("uchar")
        image = combined if image.hasalpha() else combined.extract_band(0, n=3)
    return image


def _render(overlay: Overlay, watermark_fd: int | None) -> pyvips.Image:
    if overlay.text is not None:
        image = draw_text(overlay.text)
        scale = min(overlay.box.width / image.width, overlay.box.height / image.height)
        image = _resized(image, scale, scale)
    else:
        image = _watermark(overlay, watermark_fd)
    alpha = image.extract_band(3).linear(overlay.opacity / 100, 0.5).cast("uchar")
    return image.extract_band(0, n=3).bandjoin(alpha).copy(interpretation="srgb").copy_memory()


def _watermark(overlay: Overlay, fd: int | None) -> pyvips.Image:
    """Decode the watermark's picture, upright and in the planned size."""
    if fd is None:
        raise ValueError("the plan has a watermark, but its picture is missing")
    facts = probe(fd)
    scale = overlay.box.width / facts.width if facts.format in VECTORS else None
    opened = open_image(fd, facts.format) if scale is None else open_image(fd, facts.format, scale=scale)
    image = to_display(opened.copy_memory()).colourspace("srgb").autorot()
    image = image if image.hasalpha() else image.addalpha()
    return _resized(image, overlay.box.width / image.width, overlay.box.height / image.height)


def _resized(image: pyvips.Image, horizontal: float, vertical: float) -> pyvips.Image:
    image = image.premultiply().resize(horizontal, vscale=vertical).unpremultiply()
    return rounded(image, "uchar").copy(interpretation="srgb")


def _positioned(image: pyvips.Image, overlay: RenderedOverlay) -> pyvips.Image:
    """Return a transparent picture of the size of `image` with the overlay in its position."""
    margin, where, ink = overlay.overlay.margin, overlay.overlay.position, overlay.image
    if where == "tile":
        cell = ink.embed(margin, margin, ink.width + 2 * margin, ink.height + 2 * margin)
        columns, rows = -(-image.width // cell.width), -(-image.height // cell.height)
        return cell.replicate(columns, rows).crop(0, 0, image.width, image.height)
    spare_width, spare_height = image.width - ink.width, image.height - ink.height
    left = margin if "w" in where else spare_width - margin if "e" in where else spare_width // 2
    top = margin if "n" in where else spare_height - margin if "s" in where else spare_height // 2
    return ink.embed(left, top, image.width, image.height)
