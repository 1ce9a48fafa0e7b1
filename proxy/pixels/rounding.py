"""Casting floating point to integers."""

import pyvips

_FLOATS = {"float", "double"}


def rounded(image: pyvips.Image, kind: str) -> pyvips.Image:
    """Cast to the band format `kind`. Integers are rounded: a plain cast truncates, and darkens by half a step."""
    return image.cast(kind) if kind in _FLOATS else image.rint().cast(kind)
