"""Convert a colour signal (CICP) to sRGB or Display P3: transfer curve, primaries, tone mapping, and sRGB's curve.

Light is linear, and 1 is the white of a screen. Steps that treat each channel alone are combined into one look-up
table; the others are computed in floating point, lazily, line by line.

Sources: ITU-R BT.2100 for PQ and HLG, BT.2408 for the white of 203 cd/m², IEC 61966-2-1 for sRGB.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial

import pyvips

from proxy.core.media.colour_signalling import P3, SRGB, Curve, Primaries, Signal, between, is_near, luminance

_GREY = {"b-w", "grey16"}
_FIELD = "darkroom-signal"
_RGB = 3
"""Number of bands."""
_WHITE = 203.0
"""A screen's white in cd/m². PQ reaches 10,000, and HLG is meant for a screen of 1,000."""
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
_HLG_A, _HLG_B, _HLG_C, _HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
_KNEE = 0.8
"""Light up to here is unchanged; brighter light is compressed into the rest, so that infinite light is white."""
_STEPS = 512
"""Entries of a table of light per unit of white: 65,536 entries reach 128 times white."""
_DEEP = 65_535


def attach_signal(image: pyvips.Image, signal: Signal | None) -> pyvips.Image:
    """Attach a signal, if there is one, to a loaded picture; it replaces the profile."""
    if signal is None:
        return image
    image = image.copy()
    image.remove("icc-profile-data")
    if not signal.plain:
        image.set_type(pyvips.GValue.array_double_type, _FIELD, signal.to_numbers())
    return image


def attached_signal(image: pyvips.Image) -> Signal | None:
    """Return the attached signal; None if the samples are sRGB, or defined by a profile."""
    return Signal.from_numbers(image.get(_FIELD)) if image.get_typeof(_FIELD) else None


def has_wide_signal(image: pyvips.Image) -> bool:
    """Return whether the attached signal has colours that are not in sRGB."""
    signal = attached_signal(image)
    return signal is not None and signal.wide and image.bands >= _RGB


def signal_to_display(image: pyvips.Image, signal: Signal, *, wide: bool) -> pyvips.Image:
    """Convert 8 or 16 bits of a signal to 8 bits of sRGB, or of Display P3 if `wide` and the signal is wider."""
    wide = wide and has_wide_signal(image)
    converted = _convert_colours(image, partial(_apply_signal, signal=signal, target=P3 if wide else SRGB))
    converted.remove(_FIELD)
    if wide:
        converted.set_type(pyvips.GValue.blob_type, "icc-profile-data", pyvips.Operation.call("profile_load", "p3"))
    return converted


def linear_to_display(image: pyvips.Image) -> pyvips.Image:
    """Convert linear light in floating point to 8 bits along sRGB's curve; alpha ranges from 0 to 1."""
    return _convert_colours(image, _encode_srgb)


def _convert_colours(image: pyvips.Image, convert: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Convert the colours, reduce alpha to 8 bits, and drop the profile, which no longer applies."""
    count = 1 if image.interpretation in _GREY or image.bands < _RGB else _RGB
    converted = convert(image.extract_band(0, n=count))
    if image.bands > count:
        converted = converted.bandjoin(_alpha_to_8_bits(image.extract_band(count)))
    converted = converted.copy(interpretation="b-w" if count == 1 else "srgb")
    converted.remove("icc-profile-data")
    return converted


def _alpha_to_8_bits(alpha: pyvips.Image) -> pyvips.Image:
    if alpha.format == "uchar":
        return alpha
    return (alpha >> 8 if alpha.format == "ushort" else alpha.linear(255, 0.5)).cast("uchar")


def _apply_signal(colours: pyvips.Image, signal: Signal, target: Primaries) -> pyvips.Image:
    light = _decoding_table(signal.curve, signal.exponent, colours.format == "ushort", _maximum(colours))
    matrix = None if is_near(signal.primaries, target) or colours.bands == 1 else between(signal.primaries, target)
    if colours.bands == 1 or (matrix is None and not signal.high):
        return colours.maplut(_tone_map(_to_screen_light(light, signal), signal))
    light = _to_screen_light(colours.maplut(light), signal)
    return _tone_map(light if matrix is None else light.recomb([list(row) for row in matrix]), signal)


def _maximum(colours: pyvips.Image) -> int:
    """Return the sample of full intensity; libheif left-aligns its samples in 16 bits."""
    if colours.format == "uchar":
        return 255
    bits = colours.get("bits-per-sample") if colours.get_typeof("bits-per-sample") else 16
    return ((1 << bits) - 1) << (16 - bits) if bits in range(9, 16) else _DEEP


@lru_cache(8)
def _decoding_table(curve: Curve, exponent: float, deep: bool, full: int) -> pyvips.Image:  # noqa: FBT001 - part of a cache key
    """Return the table from samples up to `full`, of 8 bits or of 16 (`deep`), to light."""
    return _to_light(pyvips.Image.identity(ushort=deep) / full, curve, exponent).copy_memory()


def _to_light(ramp: pyvips.Image, curve: Curve, exponent: float) -> pyvips.Image:
    """Convert samples, 0…1, to light. For HLG it is the light of the scene, 0…1."""
    if curve == "power":
        return ramp**exponent
    if curve == "pq":
        root = ramp ** (1 / _PQ_M2)
        above = (root > _PQ_C1).ifthenelse(root - _PQ_C1, 0)
        return (above / (_PQ_C2 - root * _PQ_C3)) ** (1 / _PQ_M1) * (10_000 / _WHITE)
    if curve == "hlg":
        return (ramp <= 0.5).ifthenelse(ramp**2 / 3, (((ramp - _HLG_C) / _HLG_A).exp() + _HLG_B) / 12)  # noqa: PLR2004
    return (ramp <= 0.04045).ifthenelse(ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - sRGB's own


def _to_screen_light(light: pyvips.Image, signal: Signal) -> pyvips.Image:
    """Convert HLG's light of the scene to light of the screen (BT.2100's OOTF); other light is returned as it is."""
    if signal.curve != "hlg":
        return light
    weights = [list(luminance(signal.primaries))]
    scene_luminance = light if light.bands == 1 else light.recomb(weights)
    return light * scene_luminance.linear(_DEEP, 0.5).cast("ushort").maplut(_hlg_gains())


@cache
def _hlg_gains() -> pyvips.Image:
    """Return the table from 16 bits of HLG's scene luminance to the factor for its light."""
    return ((pyvips.Image.identity(ushort=True) / _DEEP) ** (_HLG_GAMMA - 1) * (1_000 / _WHITE)).copy_memory()


def _tone_map(light: pyvips.Image, signal: Signal) -> pyvips.Image:
    """Return 8 bits along sRGB's curve. In a high dynamic range, channels are scaled so that the brightest one fits."""
    if signal.high:
        brightest = light
        if light.bands > 1:
            brightest = light.extract_band(0).maxpair(light.extract_band(1)).maxpair(light.extract_band(2))
        light = light * brightest.linear(_STEPS, 0.5).cast("ushort").maplut(_tone_map_gains())
    return _encode_srgb(light)


@cache
def _tone_map_gains() -> pyvips.Image:
    """Return the table from light, in steps, to the factor that keeps it below 1."""
    light = pyvips.Image.identity(ushort=True) / _STEPS
    above, rest = light - _KNEE, 1 - _KNEE
    return (light <= _KNEE).ifthenelse(1, (_KNEE + rest * (above / (above + rest))) / light).copy_memory()


def _encode_srgb(light: pyvips.Image) -> pyvips.Image:
    return light.linear(_DEEP, 0.5).cast("ushort").maplut(_srgb_table())


@cache
def _srgb_table() -> pyvips.Image:
    """Return the table from 16 bits of light to 8 bits of sRGB."""
    ramp = pyvips.Image.identity(ushort=True) / _DEEP
    curved = (ramp <= 0.0031308).ifthenelse(ramp * 12.92, ramp ** (1 / 2.4) * 1.055 - 0.055)  # noqa: PLR2004
    return curved.linear(255, 0.5).cast("uchar").copy_memory()
