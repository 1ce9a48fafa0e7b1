"""Find the border of one colour around a picture, for the planner to leave out."""

import pyvips

from proxy.core.geometry import Box
from proxy.core.planning.plan import Trim
from proxy.pixels.colour import to_display
from proxy.pixels.source import open_image, refusal


def find_picture(fd: int, trim: Trim) -> Box:
    """Give what is left within `trim.crop` without its border (libvips `find_trim`); all of it where all is border."""
    try:
        image = open_image(fd, trim.source, trim.first_frame)
        image = image.crop(trim.crop.left, trim.crop.top, trim.crop.width, trim.crop.height)
        image, corner = _opaque(to_display(image).copy_memory(), trim.corner)
        left, top, width, height = image.find_trim(threshold=trim.tolerance, background=corner, line_art=True)
    except pyvips.Error as error:
        raise refusal(error) from error
    return Box(left, top, width, height) if width and height else Box(0, 0, trim.crop.width, trim.crop.height)


def _opaque(image: pyvips.Image, at: tuple[int, int]) -> tuple[pyvips.Image, list[float]]:
    """Give what is compared, and the border's value: colours over the corner's, or alpha where the corner is clear."""
    corner = image.getpoint(*at)
    if not image.hasalpha():
        return image, corner
    if corner[-1] == 0:
        return image.extract_band(image.bands - 1).copy(interpretation="b-w"), [0.0]
    return image.flatten(background=corner[:-1]), corner[:-1]
