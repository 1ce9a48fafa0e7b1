"""Find the border of one colour around a picture, so that the planner can cut it off."""

import pyvips

from proxy.core.geometry import Box
from proxy.core.planning.plan import Trim
from proxy.pixels.colour import to_display
from proxy.pixels.source import DECODE_ERRORS, open_image, to_refusal


def find_content(fd: int, trim: Trim) -> Box:
    """Return the part of `trim.crop` that is inside its border (libvips `find_trim`); all of it if it is one colour.

    Raise UnsupportedFormat or CorruptImage if the original cannot be decoded.
    """
    try:
        image = open_image(fd, trim.source, trim.first_frame)
        image = image.crop(trim.crop.left, trim.crop.top, trim.crop.width, trim.crop.height)
        image, corner = _opaque(to_display(image).copy_memory(), trim.corner)
        left, top, width, height = image.find_trim(threshold=trim.tolerance, background=corner, line_art=True)
    except DECODE_ERRORS as error:
        raise to_refusal(error) from error
    return Box(left, top, width, height) if width and height else Box(0, 0, trim.crop.width, trim.crop.height)


def _opaque(image: pyvips.Image, at: tuple[int, int]) -> tuple[pyvips.Image, list[float]]:
    """Return what is compared and its value at the corner: the colours, or alpha if the corner is transparent."""
    corner = image.getpoint(*at)
    if not image.hasalpha():
        return image, corner
    if corner[-1] == 0:
        return image.extract_band(image.bands - 1).copy(interpretation="b-w"), [0.0]
    return image.flatten(background=corner[:-1]), corner[:-1]
