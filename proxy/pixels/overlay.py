"""What is laid over a finished picture: a watermark, a line of text."""

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
    """An overlay's picture, sRGB with alpha, in memory, as it is laid on every frame."""

    image: pyvips.Image
    overlay: Overlay


def render_overlays(plan: Plan, watermark_fd: int | None) -> list[RenderedOverlay]:
    """Make the plan's overlays."""
    return [RenderedOverlay(_make(one, watermark_fd), one) for one in plan.overlays]


def lay(image: pyvips.Image, overlays: list[RenderedOverlay]) -> pyvips.Image:
    """Lay overlays over a picture (libvips `composite2`); it keeps its bands, but grey becomes colour."""
    for overlay in overlays:
        image = image.colourspace("srgb")
        clear = image.hasalpha()
        laid = image.composite2(*_placed(image, overlay)).cast("uchar")
        image = laid if clear else laid.extract_band(0, n=3)
    return image


def _make(overlay: Overlay, watermark_fd: int | None) -> pyvips.Image:
    if overlay.text is not None:
        image = draw_text(overlay.text)
        by = min(overlay.box.width / image.width, overlay.box.height / image.height)
        image = _resized(image, by, by)
    else:
        image = _watermark(overlay, watermark_fd)
    alpha = image.extract_band(3).linear(overlay.opacity / 100, 0.5).cast("uchar")
    return image.extract_band(0, n=3).bandjoin(alpha).copy(interpretation="srgb").copy_memory()


def _watermark(overlay: Overlay, fd: int | None) -> pyvips.Image:
    """Decode the watermark's picture, set it upright and give it the planned size."""
    if fd is None:
        raise ValueError("a plan with a watermark comes without its picture")
    facts = probe(fd)
    scale = overlay.box.width / facts.width if facts.format in VECTORS else None
    opened = open_image(fd, facts.format) if scale is None else open_image(fd, facts.format, scale=scale)
    image = to_display(opened.copy_memory()).colourspace("srgb").autorot()
    image = image if image.hasalpha() else image.addalpha()
    return _resized(image, overlay.box.width / image.width, overlay.box.height / image.height)


def _resized(image: pyvips.Image, across: float, down: float) -> pyvips.Image:
    image = image.premultiply().resize(across, vscale=down).unpremultiply()
    return rounded(image, "uchar").copy(interpretation="srgb")


def _placed(image: pyvips.Image, overlay: RenderedOverlay) -> tuple[pyvips.Image, str]:
    """Give the overlay in its place on a clear sheet as large as the picture, and the mode to lay it by."""
    margin, where, ink = overlay.overlay.margin, overlay.overlay.position, overlay.image
    if where == "tile":
        cell = ink.embed(margin, margin, ink.width + 2 * margin, ink.height + 2 * margin)
        across, down = -(-image.width // cell.width), -(-image.height // cell.height)
        return cell.replicate(across, down).crop(0, 0, image.width, image.height), "over"
    spare_width, spare_height = image.width - ink.width, image.height - ink.height
    left = margin if "w" in where else spare_width - margin if "e" in where else spare_width // 2
    top = margin if "n" in where else spare_height - margin if "s" in where else spare_height // 2
    return ink.embed(left, top, image.width, image.height), "over"
