"""Colours as Oklab in thousandths, where equal distances look equally different (Björn Ottosson, 2020)."""

from typing import NamedTuple


class Lab(NamedTuple):
    """Lightness 0…1000, green to red, blue to yellow."""

    lightness: int
    a: int
    b: int


_KNEE = 0.04045
"""Where the transfer curve of sRGB bends (IEC 61966-2-1)."""
NEAR = 110
"""Largest distance of a colour that a search for another one finds."""


def oklab(colour: str) -> Lab:
    """Return the Oklab of `#rrggbb`."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return Lab(
        round(1000 * (0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short)),
        round(1000 * (1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short)),
        round(1000 * (0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short)),
    )


def _linear(value: float) -> float:
    return value / 12.92 if value <= _KNEE else ((value + 0.055) / 1.055) ** 2.4
