"""Colour conversion: from the original's space and depth to eight bits of sRGB, of grey, or of Display P3."""

import pyvips

from proxy.core.media.icc import is_srgb
from proxy.pixels.light import attached_signal, linear_to_display, signal_to_display
from proxy.pixels.source import DECODE_ERRORS

_GREY = {"b-w", "grey16"}
_COLOURED = {"srgb", "rgb", "rgb16"}
_PLAIN = {"srgb", "b-w"}


def to_display(image: pyvips.Image, *, wide: bool = False) -> pyvips.Image:
    """Convert to 8 bits of sRGB: by the attached signal, else by the ICC profile, else by libvips' interpretation.

    Uses libvips `icc_transform` (relative colorimetric, black point compensated; CMYK without a profile gets libvips'
    own) and `colourspace`. A profile that does not fit its pixels is ignored, as browsers do. Grey in floating point is
    linear light, as libvips assumes of colours. With `wide`, a picture with a profile other than sRGB, or with a wider
    signal, becomes Display P3; only such a picture has a profile afterwards.
    """
    if (signal := attached_signal(image)) is not None:
        return signal_to_display(image, signal, wide=wide)
    if image.format == "float" and image.interpretation in _GREY:
        return linear_to_display(image)
    converted = _apply_profile(image, wide=wide)
    if converted.interpretation not in _PLAIN:
        converted = converted.colourspace("b-w" if converted.interpretation in _GREY else "srgb")
    return converted if converted.format == "uchar" else converted.cast("uchar")


def _apply_profile(image: pyvips.Image, *, wide: bool) -> pyvips.Image:
    if image.interpretation == "cmyk":
        return _without_profile(
            image.icc_transform("srgb", embedded=True, input_profile="cmyk", black_point_compensation=True)
        )
    if not image.get_typeof("icc-profile-data"):
        return image
    if is_srgb(bytes(image.get("icc-profile-data"))):  # a transform would cost time and rounding errors
        return _without_profile(image)
    wide = wide and image.interpretation in _COLOURED
    try:
        converted = image.icc_transform("p3" if wide else "srgb", embedded=True, depth=8, black_point_compensation=True)
    except DECODE_ERRORS:
        return _without_profile(image)
    return converted if wide else _without_profile(converted)


def _without_profile(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    image.remove("icc-profile-data")
    return image
