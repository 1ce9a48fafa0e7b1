"""Colour: whatever the original's space and depth, eight bits of sRGB (or of grey, or of Display P3) come out."""

import pyvips

from proxy.core.media.icc import is_srgb
from proxy.pixels.light import from_light, noted, to_screen

_GREY = {"b-w", "grey16"}
_COLOURED = {"srgb", "rgb", "rgb16"}
_PLAIN = {"srgb", "b-w"}


def to_display(image: pyvips.Image, *, wide: bool = False) -> pyvips.Image:
    """Convert to sRGB by the signal that was noted, else by the embedded ICC profile, else by what the pixels claim.

    libvips `icc_transform` (relative colorimetric, black point compensated; CMYK without a profile gets libvips'
    own) and `colourspace`. A profile that does not fit its pixels is left out of account, as browsers do. Grey in
    floating point is light, as libvips takes colours there to be. `wide` makes Display P3 of what has a profile other
    than sRGB, or a signal that is wider; only such a picture has a profile afterwards.
    """
    if (signal := noted(image)) is not None:
        return to_screen(image, signal, wide=wide)
    if image.format == "float" and image.interpretation in _GREY:
        return from_light(image)
    shown = _by_profile(image, wide=wide)
    if shown.interpretation not in _PLAIN:
        shown = shown.colourspace("b-w" if shown.interpretation in _GREY else "srgb")
    return shown if shown.format == "uchar" else shown.cast("uchar")


def _by_profile(image: pyvips.Image, *, wide: bool) -> pyvips.Image:
    if image.interpretation == "cmyk":
        return _bare(image.icc_transform("srgb", embedded=True, input_profile="cmyk", black_point_compensation=True))
    if not image.get_typeof("icc-profile-data"):
        return image
    if is_srgb(bytes(image.get("icc-profile-data"))):  # transforming would cost time and a bit of rounding
        return _bare(image)
    wide = wide and image.interpretation in _COLOURED
    try:
        shown = image.icc_transform("p3" if wide else "srgb", embedded=True, depth=8, black_point_compensation=True)
    except pyvips.Error:
        return _bare(image)
    return shown if wide else _bare(shown)


def _bare(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    image.remove("icc-profile-data")
    return image
