"""Effects: a picture of eight bits in sRGB or grey in, one of the same size out; alpha stays what it was.

Semantics are those people know from sharp where sharp has the effect, and are told in docs/recipes.md. Each function
takes the picture without its alpha and the effect's numbers; what blurs takes alpha along, premultiplied, so that no
hidden colour leaks.
"""

from collections.abc import Callable
from typing import Any

import pyvips

from proxy.core.planning.plan import Plan
from proxy.pixels.rounding import rounded

Numbers = tuple[float, ...]
_WIDE_SIGMA = 8.0
"""From this σ on a blur is done on a smaller picture: what is left of it has no detail that could be lost."""
_LUMA = (0.2126, 0.7152, 0.0722)
_SEPIA = (0.393, 0.769, 0.189, 0.349, 0.686, 0.168, 0.272, 0.534, 0.131)
"""The matrix of the W3C's Filter Effects §9, for full sepia."""


def effects(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Apply the plan's effects, one after the other."""
    if not plan.effects:
        return image
    for effect in plan.effects:
        image = (_whole if effect.name in _TAKES_ALPHA else _beside_alpha)(image, effect.name, effect.numbers)
    return image


def _whole(image: pyvips.Image, name: str, numbers: Numbers) -> pyvips.Image:
    if not image.hasalpha():
        return _TAKES_ALPHA[name](image, numbers).cast("uchar")
    return rounded(_TAKES_ALPHA[name](image.premultiply(), numbers).unpremultiply(), "uchar")


def _beside_alpha(image: pyvips.Image, name: str, numbers: Numbers) -> pyvips.Image:
    if not image.hasalpha():
        return _COLOURS[name](image, numbers)
    colour = image.extract_band(0, n=image.bands - 1).copy(interpretation="srgb" if image.bands > 2 else "b-w")  # noqa: PLR2004 - grey with alpha
    return _COLOURS[name](colour, numbers).bandjoin(image.extract_band(image.bands - 1))


def _blur(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `gaussblur`; a wide one on a picture reduced by a whole number, and enlarged again (cubic)."""
    sigma = numbers[0]
    by = min(int(sigma / _WIDE_SIGMA * 2), min(image.width, image.height) // 2)
    if by < 2:  # noqa: PLR2004 - nothing to reduce
        return image.gaussblur(sigma)
    width, height = image.width, image.height
    ragged = image.embed(0, 0, -(-width // by) * by, -(-height // by) * by, extend="copy")
    small = ragged.shrink(by, by).gaussblur(sigma / by)
    return small.resize(by, kernel="cubic").crop(0, 0, width, height)


def _sharpen(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `sharpen`, in the lightness of Lab, with libvips' own limits for flat and jagged places."""
    return image.sharpen(sigma=numbers[0])


def _pixelate(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Blocks from the top left, each of its own mean; the last ones may be cut (libvips `shrink`, `zoom`)."""
    side, width, height = int(numbers[0]), image.width, image.height
    ragged = image.embed(0, 0, -(-width // side) * side, -(-height // side) * side, extend="copy")
    return ragged.shrink(side, side).zoom(side, side).crop(0, 0, width, height)


def _brightness(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (numbers[0], 1, 1), (0, 0, 0))


def _saturation(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (1, numbers[0], 1), (0, 0, 0))


def _hue(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (1, 1, 1), (0, 0, numbers[0]))


def _in_lch(image: pyvips.Image, times: Numbers, plus: Numbers) -> pyvips.Image:
    """Scale and shift lightness, chroma and hue (CIE LCh, as sharp's `modulate`)."""
    grey = image.bands == 1
    lch = image.copy(interpretation="b-w" if grey else "srgb").colourspace("lch").linear(list(times), list(plus))
    changed = lch.copy(interpretation="lch").colourspace("srgb")
    return changed.extract_band(1).copy(interpretation="b-w") if grey else changed


def _contrast(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Stretch around the middle grey."""
    return _clipped(image.linear(numbers[0], 127.5 * (1 - numbers[0])))


def _gamma(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `gamma`: each value to the power of 1 ÷ the number."""
    return image.gamma(exponent=numbers[0]).cast("uchar")


def _gray(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    """Libvips `colourspace`: by lightness, as one band becomes three equal ones."""
    return image if image.bands == 1 else image.colourspace("b-w").colourspace("srgb")


def _sepia(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    matrix = pyvips.Image.new_from_array([list(_SEPIA[at : at + 3]) for at in (0, 3, 6)])
    return _clipped(_three(image).recomb(matrix))


def _invert(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    return image.invert()


def _tint(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Keep the lightness, take the two colour axes of Lab from one colour: all of it in the middle, none at the ends.

    So black stays black and white stays white, as in sharp's `tint`.
    """
    paint = pyvips.Image.black(1, 1, bands=3).linear(1, list(numbers)).copy(interpretation="srgb").colourspace("lab")
    _, a, b = paint(0, 0)
    lightness = _gray(_three(image), ()).colourspace("lab").extract_band(0)
    off_middle = lightness.linear(0.02, -1)
    amount = (off_middle * off_middle).linear(-1, 1)
    return lightness.bandjoin([amount * a, amount * b]).copy(interpretation="lab").colourspace("srgb")


def _duotone(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Spread luma (BT.709) between two colours."""
    luma = _three(image).recomb(pyvips.Image.new_from_array([list(_LUMA)])) / 255
    dark, light = numbers[:3], numbers[3:]
    bands = [luma.linear(high - low, low) for low, high in zip(dark, light, strict=True)]
    return _clipped(bands[0].bandjoin(bands[1:])).copy(interpretation="srgb")


def _three(image: pyvips.Image) -> pyvips.Image:
    return image.colourspace("srgb") if image.bands == 1 else image


def _clipped(image: pyvips.Image) -> pyvips.Image:
    """Round to eight bits; libvips clips, but cuts decimals off."""
    return image.linear(1, 0.5).cast("uchar")


_TAKES_ALPHA: dict[str, Callable[[Any, Numbers], Any]] = {"blur": _blur, "pixelate": _pixelate}
_COLOURS: dict[str, Callable[[Any, Numbers], Any]] = {
    "sharpen": _sharpen,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
    "gamma": _gamma,
    "gray": _gray,
    "sepia": _sepia,
    "invert": _invert,
    "tint": _tint,
    "duotone": _duotone,
}
