"""Perceptual hash: 64 bits that change little when an image is scaled, recompressed or adjusted a little.

A discrete cosine transform of a 32×32 grey copy; of its 8×8 lowest frequencies each gives one bit, whether it is above
their median. The constant term is left out of the median, so brightness does not decide (Zauner, 2010, "pHash").
"""

from math import cos, pi
from operator import mul
from typing import Final

SIDE: Final = 32
"""Sides of the copy, in pixels."""
BITS: Final = 64
_LOW: Final = 8
_COSINES: Final = tuple(
    tuple(cos(pi * frequency * (2 * place + 1) / (2 * SIDE)) for place in range(SIDE)) for frequency in range(_LOW)
)


def perceptual_hash(pixels: bytes) -> str:
    """Return 16 hexadecimal digits for SIDE×SIDE pixels of one byte, row by row."""
    if len(pixels) != SIDE * SIDE:
        raise ValueError(f"the copy has {SIDE}×{SIDE} pixels of one byte")
    rows = [pixels[at : at + SIDE] for at in range(0, len(pixels), SIDE)]
    across = [[sum(map(mul, cosines, row)) for cosines in _COSINES] for row in rows]
    columns = list(zip(*across, strict=True))
    terms = [sum(map(mul, cosines, column)) for cosines in _COSINES for column in columns]
    median = sorted(terms[1:])[(BITS - 1) // 2]
    bits = sum(1 << place for place, term in enumerate(reversed(terms)) if term > median)
    return f"{bits:016x}"


MAX_DISTANCE = 10
"""Bits in which the hashes of two images that look alike differ at most."""


def distance(first: str, second: str) -> int:
    """Return in how many of 64 bits two hashes differ; up to about 10 two images look alike."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def bands(digits: str) -> tuple[int, int, int, int]:
    """Return the hash in four signed 16-bit numbers: of two hashes up to 3 bits apart, at least one band is equal."""
    number = int(digits, 16)
    parts = [(number >> shift) & 0xFFFF for shift in (48, 32, 16, 0)]
    first, second, third, fourth = (part - 0x10000 if part & 0x8000 else part for part in parts)
    return first, second, third, fourth
