"""Border and rounded corners of a finished picture."""

import pyvips

from proxy.core.planning.plan import Colour, Plan


def border(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Draw a line around the picture, outside of its edges (libvips `embed`)."""
    if plan.border is None:
        return image
    width, colour = plan.border.width, plan.border.colour
    image = image.colourspace("srgb")
    return image.embed(
        width,
        width,
        image.width + 2 * width,
        image.height + 2 * width,
        extend="background",
        background=[*channels(colour), 255][: image.bands],
    )


def corners(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Round the corners with an antialiased mask. The outside is transparent, or has the plan's colour."""
    if plan.radius is None:
        return image
    image = image.colourspace("srgb")
    image = image if image.hasalpha() else image.addalpha()
    inside = _mask(image.width, image.height, plan.radius)
    alpha = (image.extract_band(3) * inside).linear(1, 0.5).cast("uchar")
    image = image.extract_band(0, n=3).bandjoin(alpha).copy(interpretation="srgb")
    return image if plan.outside is None else image.flatten(background=channels(plan.outside))


def _mask(width: int, height: int, radius: int) -> pyvips.Image:
    """Return the part, 0…1, of each pixel that lies within the rounded rectangle, by the distance to its centre."""
    columns, rows = (band + 0.5 for band in pyvips.Image.xyz(width, height).bandsplit())
    x, y = _distance(columns, radius, width - radius), _distance(rows, radius, height - radius)
    covered = (x * x + y * y).math2_const("pow", [0.5]).linear(-1, radius + 0.5)
    return (covered < 0).ifthenelse(0, (covered > 1).ifthenelse(1, covered))


def _distance(position: pyvips.Image, low: int, high: int) -> pyvips.Image:
    """Return how far a coordinate lies outside of low…high; 0 if it lies inside."""
    above = (position > high).ifthenelse(position.linear(1, -high), 0)
    return (position < low).ifthenelse(position.linear(-1, low), above)


def channels(colour: Colour) -> list[int]:
    """Return red, green and blue."""
    return [colour.red, colour.green, colour.blue]
