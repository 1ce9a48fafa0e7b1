"""Find the border of one colour around a picture, for the planner to leave out."""

import pyvips

from proxy.core.geometry import Box
from proxy.core.plan import Trim
from proxy.pixels.source import open_image, refusal


def find_picture(fd: int, trim: Trim) -> Box:
    """Give what is left within `trim.crop` without its border (libvips `find_trim`); all of it where all is border."""
    try:
        image = open_image(fd, trim.source, trim.first_frame)
        image = image.crop(trim.crop.left, trim.crop.top, trim.crop.width, trim.crop.height).copy_memory()
        left, top, width, height = image.find_trim(
            threshold=trim.tolerance, background=image.getpoint(*trim.corner), line_art=True
        )
    except pyvips.Error as error:
        raise refusal(error) from error
    return Box(left, top, width, height) if width and height else Box(0, 0, trim.crop.width, trim.crop.height)
