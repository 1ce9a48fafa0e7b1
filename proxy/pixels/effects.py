"""Effects on a picture of eight bits in sRGB or grey; size and alpha do not change.

The semantics are those of sharp, if sharp has the effect, and are documented in docs/recipes.md. Each function takes
the picture without alpha and the effect's numbers. Effects that mix pixels take alpha too, premultiplied, so that
hidden colours do not leak.
"""

from collections.abc import Callable
from typing import Any

import pyvips

from proxy.core.planning.plan import Plan
from proxy.pixels.rounding import rounded

Numbers = tuple[float, ...]
_WIDE_SIGMA = 8.0
"""From this σ on, a smaller picture is blurred: the result has no details that could be lost."""
_LUMA = (0.2126, 0.7152, 0.0722)
_SEPIA = (0.393, 0.769, 0.189, 0.349, 0.686, 0.168, 0.272, 0.534, 0.131)
"""The matrix of full sepia (W3C Filter Effects §9)."""


def effects(image: pyvips.Image, plan: Plan) -> pyvips.Image:
    """Apply the plan's effects, one after the other."""
    if not plan.effects:
        return image
    for effect in plan.effects:
        image = (_with_alpha if effect.name in _ALPHA_EFFECTS else _beside_alpha)(image, effect.name, effect.numbers)
    return image


def _with_alpha(image: pyvips.Image, name: str, numbers: Numbers) -> pyvips.Image:
    if not image.hasalpha():
        return _ALPHA_EFFECTS[name](image, numbers).cast("uchar")
    return rounded(_ALPHA_EFFECTS[name](image.premultiply(), numbers).unpremultiply(), "uchar")


def _beside_alpha(image: pyvips.Image, name: str, numbers: Numbers) -> pyvips.Image:
    if not image.hasalpha():
        return _COLOUR_EFFECTS[name](image, numbers)
    colour = image.extract_band(0, n=image.bands - 1).copy(interpretation="srgb" if image.bands > 2 else "b-w")  # noqa: PLR2004 - grey with alpha
    return _COLOUR_EFFECTS[name](colour, numbers).bandjoin(image.extract_band(image.bands - 1))


def _blur(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `gaussblur`; if σ is large, of a picture shrunk by an integer and enlarged again (cubic)."""
    sigma = numbers[0]
    factor = min(int(sigma / _WIDE_SIGMA * 2), min(image.width, image.height) // 2)
    if factor < 2:  # noqa: PLR2004 - nothing to shrink
        return image.gaussblur(sigma)
    width, height = image.width, image.height
    padded = image.embed(0, 0, -(-width // factor) * factor, -(-height // factor) * factor, extend="copy")
    small = padded.shrink(factor, factor).gaussblur(sigma / factor)
    return small.resize(factor, kernel="cubic").crop(0, 0, width, height)


def _sharpen(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `sharpen`, of the lightness in Lab, with libvips' defaults for flat and jagged areas."""
    return image.sharpen(sigma=numbers[0])


def _pixelate(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Blocks from the top left, each of its mean; the last ones may be cut off (libvips `shrink`, `zoom`)."""
    side, width, height = int(numbers[0]), image.width, image.height
    padded = image.embed(0, 0, -(-width // side) * side, -(-height // side) * side, extend="copy")
    return padded.shrink(side, side).zoom(side, side).crop(0, 0, width, height)


def _brightness(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (numbers[0], 1, 1), (0, 0, 0))


def _saturation(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (1, numbers[0], 1), (0, 0, 0))


def _hue(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    return _in_lch(image, (1, 1, 1), (0, 0, numbers[0]))


def _in_lch(image: pyvips.Image, factors: Numbers, offsets: Numbers) -> pyvips.Image:
    """Scale and shift lightness, chroma and hue (CIE LCh, like sharp's `modulate`)."""
    grey = image.bands == 1
    lch = image.copy(interpretation="b-w" if grey else "srgb").colourspace("lch").linear(list(factors), list(offsets))
    changed = lch.copy(interpretation="lch").colourspace("srgb")
    return changed.extract_band(1).copy(interpretation="b-w") if grey else changed


def _contrast(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Stretch the values around middle grey."""
    return _to_8_bits(image.linear(numbers[0], 127.5 * (1 - numbers[0])))


def _gamma(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Libvips `gamma`: raise each value to the power of 1 ÷ the number."""
    return image.gamma(exponent=numbers[0]).cast("uchar")


def _gray(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    """Libvips `colourspace`: the lightness, as three equal bands if the picture has colour."""
    return image if image.bands == 1 else image.colourspace("b-w").colourspace("srgb")


def _sepia(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    matrix = pyvips.Image.new_from_array([list(_SEPIA[at : at + 3]) for at in (0, 3, 6)])
    return _to_8_bits(_as_rgb(image).recomb(matrix))


def _invert(image: pyvips.Image, _: Numbers) -> pyvips.Image:
    return image.invert()


def _tint(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Keep the lightness, and take the colour axes of Lab from one colour: fully in the middle, less towards the ends.

    So black stays black and white stays white, like in sharp's `tint`.
    """
    colour = pyvips.Image.black(1, 1, bands=3).linear(1, list(numbers)).copy(interpretation="srgb").colourspace("lab")
    _, a, b = colour(0, 0)
    lightness = _gray(_as_rgb(image), ()).colourspace("lab").extract_band(0)
    from_middle = lightness.linear(0.02, -1)
    amount = (from_middle * from_middle).linear(-1, 1)
    return lightness.bandjoin([amount * a, amount * b]).copy(interpretation="lab").colourspace("srgb")


def _duotone(image: pyvips.Image, numbers: Numbers) -> pyvips.Image:
    """Map luma (BT.709) to the range between two colours."""
    luma = _as_rgb(image).recomb(pyvips.Image.new_from_array([list(_LUMA)])) / 255
    dark, light = numbers[:3], numbers[3:]
    bands = [luma.linear(high - low, low) for low, high in zip(dark, light, strict=True)]
    return _to_8_bits(bands[0].bandjoin(bands[1:])).copy(interpretation="srgb")


def _as_rgb(image: pyvips.Image) -> pyvips.Image:
    return image.colourspace("srgb") if image.bands == 1 else image


def _to_8_bits(image: pyvips.Image) -> pyvips.Image:
    """Round to eight bits. libvips clips, but truncates."""
    return image.linear(1, 0.5).cast("uchar")


_ALPHA_EFFECTS: dict[str, Callable[[Any, Numbers], Any]] = {"blur": _blur, "pixelate": _pixelate}
_COLOUR_EFFECTS: dict[str, Callable[[Any, Numbers], Any]] = {
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
