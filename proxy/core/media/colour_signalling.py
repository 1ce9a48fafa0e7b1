"""Colour signalling without an ICC profile: the primaries and the transfer curve of pixel values.

The module is hand-written because libvips applies ICC profiles only: it does not interpret the code points that AVIF,
HEIC and PNG files use instead. Without it, pictures in Display P3, PQ or HLG would be shown in wrong colours.

Sources: ITU-T H.273 tables 2 and 3 for the code points (CICP), ITU-R BT.2100 for PQ and HLG, the Bradford method for
chromatic adaptation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

Curve = Literal["srgb", "power", "pq", "hlg"]
Matrix = tuple[tuple[float, ...], ...]
Primaries = tuple[float, ...]
"""CIE 1931 x and y of red, green, blue and white."""

_D65, _C, _E, _DCI = (0.3127, 0.3290), (0.3100, 0.3160), (1 / 3, 1 / 3), (0.3140, 0.3510)
SRGB: Primaries = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
P3: Primaries = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)
_SMPTE_C: Primaries = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)
_PRIMARIES: dict[int, Primaries] = {
    4: (0.670, 0.330, 0.210, 0.710, 0.140, 0.080, *_C),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, *_D65),
    6: _SMPTE_C,
    7: _SMPTE_C,
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, *_E),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_DCI),
    12: P3,
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
"""Primaries by code point. 1 (BT.709, the primaries of sRGB), 2 (unspecified) and unknown ones default to sRGB."""
_CURVES: dict[int, tuple[Curve, float]] = {
    4: ("power", 2.2),
    5: ("power", 2.8),
    8: ("power", 1.0),
    16: ("pq", 1.0),
    18: ("hlg", 1.0),
}
"""Curve and exponent by code point. All others, including those of video, default to sRGB, as browsers do."""
_KINDS: tuple[Curve, ...] = ("srgb", "power", "pq", "hlg")
_TOLERANCE = 0.005
"""Largest difference of coordinates that are considered equal: writers round them."""
_WIDE = -0.1
"""Primaries are wide if one of them, in linear sRGB, has a component below this; those of television are not."""
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_MIN_DETERMINANT, _MIN_RESPONSE = 1e-3, 0.05
"""Least determinant of primaries that span a space, and least cone response of a white point."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The interpretation of pixel values from 0 to 1 as light."""

    primaries: Primaries = SRGB
    curve: Curve = "srgb"
    exponent: float = 1.0
    """Exponent of the curve "power": light is the value raised to it."""

    @property
    def plain(self) -> bool:
        """Whether the signal is equivalent to sRGB."""
        return self.curve == "srgb" and is_near(self.primaries, SRGB)

    @property
    def high(self) -> bool:
        """Whether the signal has a high dynamic range: it exceeds the white of a display."""
        return self.curve in ("pq", "hlg")

    @property
    def wide(self) -> bool:
        """Whether the signal contains colours outside sRGB."""
        return min(map(min, between(self.primaries, SRGB))) < _WIDE

    def to_numbers(self) -> list[float]:
        """Return the signal as ten numbers; the inverse of `from_numbers`."""
        return [*self.primaries, float(_KINDS.index(self.curve)), self.exponent]

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> Self:
        """Return a signal from the result of `to_numbers`."""
        return cls(tuple(numbers[:8]), _KINDS[int(numbers[8])], numbers[9])


def from_cicp(primaries: int, transfer: int) -> Signal:
    """Return the signal of two H.273 code points; unspecified and unknown ones default to sRGB."""
    curve, exponent = _CURVES.get(transfer, ("srgb", 1.0))
    return Signal(_PRIMARIES.get(primaries, SRGB), curve, exponent)


def is_near(first: Primaries, second: Primaries) -> bool:
    """Return whether two sets of primaries are equal within the rounding of writers."""
    return all(abs(left - right) < _TOLERANCE for left, right in zip(first, second, strict=True))


def between(source: Primaries, target: Primaries) -> Matrix:
    """Return the matrix that converts linear light between primaries. Raise ValueError if they span no space."""
    return _product(_inverse(_to_xyz(target)), _product(_adapted(source[6:], target[6:]), _to_xyz(source)))


def luminance(primaries: Primaries) -> tuple[float, ...]:
    """Return the contributions of red, green and blue to CIE Y."""
    return _to_xyz(primaries)[1]


def _to_xyz(primaries: Primaries) -> Matrix:
    columns = [(x, y, 1 - x - y) for x, y in zip(primaries[:6:2], primaries[1:6:2], strict=True)]
    shape = tuple(zip(*columns, strict=True))
    parts = _applied(_inverse(shape), _white(primaries[6:]))
    return tuple(tuple(value * part for value, part in zip(row, parts, strict=True)) for row in shape)


def _white(point: Sequence[float]) -> tuple[float, ...]:
    x, y = point
    if y <= 0:
        raise ValueError("the white point has no luminance")
    return x / y, 1.0, (1 - x - y) / y


def _adapted(source: Sequence[float], target: Sequence[float]) -> Matrix:
    """Return the Bradford matrix that adapts XYZ from one white point to another."""
    from_response, to_response = _applied(_BRADFORD, _white(source)), _applied(_BRADFORD, _white(target))
    if min(*from_response, *to_response) < _MIN_RESPONSE:
        raise ValueError("the white point is outside the visible colours")
    gains = [after / before for before, after in zip(from_response, to_response, strict=True)]
    scaled = tuple(tuple(gain * value for value in row) for gain, row in zip(gains, _BRADFORD, strict=True))
    return _product(_inverse(_BRADFORD), scaled)


def _applied(matrix: Matrix, vector: Sequence[float]) -> tuple[float, ...]:
    return tuple(sum(left * right for left, right in zip(row, vector, strict=True)) for row in matrix)


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = tuple(zip(*right, strict=True))
    return tuple(_applied(columns, row) for row in left)


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < _MIN_DETERMINANT:
        raise ValueError("the primaries do not span a space")
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / determinant for value in row) for row in adjugate)
