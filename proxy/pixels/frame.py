"""What surrounds a finished picture: a border, round corners."""

import pyvips

from proxy.core.planning.plan import Colour, Plan


def border(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Draw a line around the picture, outside of it (libvips `embed`)."""
    if plan.border is None:
        return image
    width, paint = plan.border.width, plan.border.colour
    image = image.colourspace("srgb")
    return image.embed(
        width,
        width,
        image.width + 2 * width,
        image.height + 2 * width,
        extend="background",
        background=[*parts(paint), 255][: image.bands],
    )


def corners(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Round the corners by an antialiased mask; what is outside is clear, or the plan's colour."""
    if plan.radius is None:
        return image
    image = image.colourspace("srgb")
    image = image if image.hasalpha() else image.addalpha()
    inside = _mask(image.width, image.height, plan.radius)
    alpha = (image.extract_band(3) * inside).linear(1, 0.5).cast("uchar")
    image = image.extract_band(0, n=3).bandjoin(alpha).copy(interpretation="srgb")
    return image if plan.outside is None else image.flatten(background=parts(plan.outside))


def _mask(width: int, height: int, radius: int) -> pyvips.Image:
    """Give 0…1: how much of each pixel lies within the rounded rectangle, by its distance to the nearest centre."""
    across, down = (one + 0.5 for one in pyvips.Image.xyz(width, height).bandsplit())
    x, y = _beyond(across, radius, width - radius), _beyond(down, radius, height - radius)
    covered = (x * x + y * y).math2_const("pow", [0.5]).linear(-1, radius + 0.5)
    return (covered < 0).ifthenelse(0, (covered > 1).ifthenelse(1, covered))


def _beyond(place: pyvips.Image, low: int, high: int) -> pyvips.Image:
    """Give how far a coordinate lies outside of low…high, else 0."""
    return (place < low).ifthenelse(place.linear(-1, low), (place > high).ifthenelse(place.linear(1, -high), 0))


def parts(colour: Colour) -> list[int]:
    """Give red, green and blue."""
    return [colour.red, colour.green, colour.blue]
