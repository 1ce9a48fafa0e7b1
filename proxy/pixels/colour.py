"""Colour: whatever the original's space and depth, eight bits of sRGB (or of grey) come out."""

import pyvips

_GREY = {"b-w", "grey16"}
_PLAIN = {"srgb", "b-w"}
_SRGB_NAMES = (b"sRGB", "sRGB".encode("utf-16-be"))
"""Encoded here, at import: behind the sandbox's walls Python cannot load a codec any more."""


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Convert by the embedded ICC profile where there is a usable one, else by what the pixels claim to be.

    libvips `icc_transform` (perceptual, black point compensated; CMYK without a profile gets libvips' own) and
    `colourspace`.
    A profile that does not fit its pixels is left out of account, as browsers do.
    """
    if image.interpretation == "cmyk":
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", black_point_compensation=True)
    elif image.get_typeof("icc-profile-data") and not _is_srgb(image.get("icc-profile-data")):
        image = _by_profile(image)
    if image.interpretation not in _PLAIN:
        image = image.colourspace("b-w" if image.interpretation in _GREY else "srgb")
    return image if image.format == "uchar" else image.cast("uchar")


def _by_profile(image: pyvips.Image) -> pyvips.Image:
    try:
        return image.icc_transform("srgb", embedded=True, depth=8, black_point_compensation=True)
    except pyvips.Error:
        return image


def _is_srgb(profile: bytes) -> bool:
    """Tell by the description (ICC.1 §9.2.41): transforming sRGB to sRGB costs time and a bit of rounding."""
    head = bytes(profile[:4096])
    return any(name in head for name in _SRGB_NAMES)
