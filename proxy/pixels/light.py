"""Light: from numbers along a signal's curve, between primaries, below a screen's white, and to sRGB's numbers.

Light is linear, 1 is a screen's white. What is the same for every channel by itself becomes one table; the rest are
steps in floating point, lazily, a line at a time.

Sources: ITU-R BT.2100 for PQ and HLG, BT.2408 for the white of 203 cd/m², IEC 61966-2-1 for sRGB.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial

import pyvips

from proxy.core.media.colour_signalling import P3, SRGB, Curve, Primaries, Signal, between, is_near, luminance

_GREY = {"b-w", "grey16"}
_FIELD = "darkroom-signal"
_RGB = 3
"""Bands."""
_WHITE = 203.0
"""cd/m² of a screen's white; PQ reaches 10,000, and HLG is shown on a screen of 1,000."""
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
_HLG_A, _HLG_B, _HLG_C, _HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
_KNEE = 0.8
"""Light up to here stays as it is; what is brighter shares the rest, an infinite light being white."""
_STEPS = 512
"""Of a table of light, from one white to the next: 65,536 of them reach to 128 whites."""
_DEEP = 65_535


def note(image: pyvips.Image, signal: Signal | None) -> pyvips.Image:
    """Note on a loaded picture what its numbers mean, where that is told: then no profile holds."""
    if signal is None:
        return image
    image = image.copy()
    image.remove("icc-profile-data")
    if not signal.plain:
        image.set_type(pyvips.GValue.array_double_type, _FIELD, signal.to_numbers())
    return image


def noted(image: pyvips.Image) -> Signal | None:
    """Give what was noted: None where the numbers are sRGB's, or what a profile makes of them."""
    return Signal.from_numbers(image.get(_FIELD)) if image.get_typeof(_FIELD) else None


def is_wide(image: pyvips.Image) -> bool:
    """Tell whether what was noted has colours that sRGB has not."""
    signal = noted(image)
    return signal is not None and signal.wide and image.bands >= _RGB


def to_screen(image: pyvips.Image, signal: Signal, *, wide: bool) -> pyvips.Image:
    """Convert 8 or 16 bits of a signal to 8 bits of sRGB, or of Display P3 where `wide` and the signal is wider."""
    wide = wide and is_wide(image)
    shown = _recoloured(image, partial(_by_signal, signal=signal, target=P3 if wide else SRGB))
    shown.remove(_FIELD)
    if wide:
        shown.set_type(pyvips.GValue.blob_type, "icc-profile-data", pyvips.Operation.call("profile_load", "p3"))
    return shown


def from_light(image: pyvips.Image) -> pyvips.Image:
    """Convert light in floating point to 8 bits along sRGB's curve; alpha goes from 0 to 1."""
    return _recoloured(image, _along_srgb)


def _recoloured(image: pyvips.Image, how: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Convert the colours and give alpha 8 bits; no profile holds any longer."""
    count = 1 if image.interpretation in _GREY or image.bands < _RGB else _RGB
    shown = how(image.extract_band(0, n=count))
    if image.bands > count:
        shown = shown.bandjoin(_to_byte(image.extract_band(count)))
    shown = shown.copy(interpretation="b-w" if count == 1 else "srgb")
    shown.remove("icc-profile-data")
    return shown


def _to_byte(alpha: pyvips.Image) -> pyvips.Image:
    if alpha.format == "uchar":
        return alpha
    return (alpha >> 8 if alpha.format == "ushort" else alpha.linear(255, 0.5)).cast("uchar")


def _by_signal(colours: pyvips.Image, signal: Signal, target: Primaries) -> pyvips.Image:
    light = _decoded(signal.curve, signal.exponent, colours.format == "ushort", _full(colours))
    matrix = None if is_near(signal.primaries, target) or colours.bands == 1 else between(signal.primaries, target)
    if colours.bands == 1 or (matrix is None and not signal.high):
        return colours.maplut(_below_white(_opened(light, signal), signal))
    light = _opened(colours.maplut(light), signal)
    return _below_white(light if matrix is None else light.recomb([list(row) for row in matrix]), signal)


def _full(colours: pyvips.Image) -> int:
    """Give the number that full intensity has: libheif's samples are set to the left of 16 bits."""
    if colours.format == "uchar":
        return 255
    bits = colours.get("bits-per-sample") if colours.get_typeof("bits-per-sample") else 16
    return ((1 << bits) - 1) << (16 - bits) if bits in range(9, 16) else _DEEP


@lru_cache(8)
def _decoded(curve: Curve, exponent: float, deep: bool, full: int) -> pyvips.Image:  # noqa: FBT001 - a key
    """Give the table from numbers up to `full`, of 8 bits or `deep`, to light."""
    return _to_light(pyvips.Image.identity(ushort=deep) / full, curve, exponent).copy_memory()


def _to_light(ramp: pyvips.Image, curve: Curve, exponent: float) -> pyvips.Image:
    """Take numbers from 0 to 1 to light; HLG's is that of the scene, from 0 to 1."""
    if curve == "power":
        return ramp**exponent
    if curve == "pq":
        root = ramp ** (1 / _PQ_M2)
        above = (root > _PQ_C1).ifthenelse(root - _PQ_C1, 0)
        return (above / (_PQ_C2 - root * _PQ_C3)) ** (1 / _PQ_M1) * (10_000 / _WHITE)
    if curve == "hlg":
        return (ramp <= 0.5).ifthenelse(ramp**2 / 3, (((ramp - _HLG_C) / _HLG_A).exp() + _HLG_B) / 12)  # noqa: PLR2004
    return (ramp <= 0.04045).ifthenelse(ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - sRGB's own


def _opened(light: pyvips.Image, signal: Signal) -> pyvips.Image:
    """Take HLG's light from the scene to the screen, brighter the brighter it is; other light is there already."""
    if signal.curve != "hlg":
        return light
    weights = [list(luminance(signal.primaries))]
    bright = light if light.bands == 1 else light.recomb(weights)
    return light * bright.linear(_DEEP, 0.5).cast("ushort").maplut(_openings())


@cache
def _openings() -> pyvips.Image:
    """Give the table from 16 bits of HLG's brightness to what light is multiplied with."""
    return ((pyvips.Image.identity(ushort=True) / _DEEP) ** (_HLG_GAMMA - 1) * (1_000 / _WHITE)).copy_memory()


def _below_white(light: pyvips.Image, signal: Signal) -> pyvips.Image:
    """Give 8 bits along sRGB's curve; of a high signal the brightest channel bends, and takes the others along."""
    if signal.high:
        brightest = light
        if light.bands > 1:
            brightest = light.extract_band(0).maxpair(light.extract_band(1)).maxpair(light.extract_band(2))
        light = light * brightest.linear(_STEPS, 0.5).cast("ushort").maplut(_bends())
    return _along_srgb(light)


@cache
def _bends() -> pyvips.Image:
    """Give the table from light, in steps, to what it is multiplied with, so that none is above 1."""
    light = pyvips.Image.identity(ushort=True) / _STEPS
    above, rest = light - _KNEE, 1 - _KNEE
    return (light <= _KNEE).ifthenelse(1, (_KNEE + rest * (above / (above + rest))) / light).copy_memory()


def _along_srgb(light: pyvips.Image) -> pyvips.Image:
    return light.linear(_DEEP, 0.5).cast("ushort").maplut(_curved())


@cache
def _curved() -> pyvips.Image:
    """Give the table from 16 bits of light to 8 bits of sRGB."""
    ramp = pyvips.Image.identity(ushort=True) / _DEEP
    curved = (ramp <= 0.0031308).ifthenelse(ramp * 12.92, ramp ** (1 / 2.4) * 1.055 - 0.055)  # noqa: PLR2004
    return curved.linear(255, 0.5).cast("uchar").copy_memory()
