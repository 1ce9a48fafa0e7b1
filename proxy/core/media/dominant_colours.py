"""Dominant colours: which few colours an image consists of.

The pixels of a small copy are counted in a coarse cube of 16 levels a channel; similar cells are merged, the largest
first. A colour is the mean of its pixels, not the middle of its cell.
"""

from collections.abc import Iterable
from typing import Final

MAX_COLOURS: Final = 5
_SHIFT: Final = 4
_SIMILAR: Final = 48**2
"""Squared distance in RGB below which two colours are one."""
_MAX_CELLS: Final = 96
"""Cells that are merged: the rest of a noisy image would take long and change nothing."""
_SMALLEST_SHARE: Final = 0.02
"""A colour that fewer pixels have is an accent at best."""


def dominant_colours(pixels: bytes) -> list[str]:
    """Return up to MAX_COLOURS colours as `#rrggbb`, the most frequent first, of pixels of three bytes (sRGB)."""
    cells: dict[int, list[int]] = {}
    for red, green, blue in zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True):
        cell = cells.setdefault(red >> _SHIFT << 8 | green >> _SHIFT << 4 | blue >> _SHIFT, [0, 0, 0, 0])
        cell[0] += 1
        cell[1] += red
        cell[2] += green
        cell[3] += blue
    merged = _merged(sorted(cells.values(), reverse=True)[:_MAX_CELLS])
    total = len(pixels) // 3
    chosen = [cell for cell in sorted(merged, reverse=True) if cell[0] >= total * _SMALLEST_SHARE]
    return [_hex(cell) for cell in chosen[:MAX_COLOURS]]


def mean_colour(pixels: bytes) -> str:
    """Return the mean colour as `#rrggbb` of at least one pixel of three bytes (sRGB)."""
    count = len(pixels) // 3
    return _hex([count, sum(pixels[::3]), sum(pixels[1::3]), sum(pixels[2::3])])


def _merged(cells: Iterable[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for cell in cells:
        near = next((other for other in merged if _distance(cell, other) < _SIMILAR), None)
        if near is None:
            merged.append(list(cell))
        else:
            near[:] = [mine + its for mine, its in zip(near, cell, strict=True)]
    return merged


def _distance(first: list[int], second: list[int]) -> float:
    return sum((first[band] / first[0] - second[band] / second[0]) ** 2 for band in (1, 2, 3))


def _hex(cell: list[int]) -> str:
    count, *sums = cell
    return "#" + "".join(f"{round(band / count):02x}" for band in sums)
