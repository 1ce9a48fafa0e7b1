"""What a pixel's numbers mean where no ICC profile tells: which red, green and blue, and along which curve.

Sources: ITU-T H.273 tables 2 and 3 for the numbers (CICP), ITU-R BT.2100 for PQ and HLG, Bradford's method for whites.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

Curve = Literal["srgb", "power", "pq", "hlg"]
Matrix = tuple[tuple[float, ...], ...]
Primaries = tuple[float, ...]
"""CIE x and y of red, green, blue and white."""

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
"""By their number; 1 (BT.709, which is sRGB's), 2 (unspecified) and what is unknown are sRGB's."""
_CURVES: dict[int, tuple[Curve, float]] = {
    4: ("power", 2.2),
    5: ("power", 2.8),
    8: ("power", 1.0),
    16: ("pq", 1.0),
    18: ("hlg", 1.0),
}
"""By their number; all others, those of video for screens among them, are shown along sRGB's, as browsers do."""
_KINDS: tuple[Curve, ...] = ("srgb", "power", "pq", "hlg")
_SAME = 0.005
"""How far apart coordinates may be that mean the same: writers round them."""
_WIDER = -0.1
"""A colour that needs less than that of one of sRGB's primaries is worth another space; television's are not."""
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_FLAT, _DARK = 1e-3, 0.05
"""Determinant from which on primaries span a space; least response of the eye to a white."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How numbers from 0 to 1 become light."""

    primaries: Primaries = SRGB
    curve: Curve = "srgb"
    exponent: float = 1.0
    """Of the curve "power": light is the number to the power of it."""

    @property
    def plain(self) -> bool:
        """It is sRGB, near enough."""
        return self.curve == "srgb" and is_near(self.primaries, SRGB)

    @property
    def high(self) -> bool:
        """It reaches beyond a screen's white."""
        return self.curve in ("pq", "hlg")

    @property
    def wide(self) -> bool:
        """It has colours that sRGB has not."""
        return min(map(min, between(self.primaries, SRGB))) < _WIDER

    def to_numbers(self) -> list[float]:
        """Give it as numbers; the inverse of `from_numbers`."""
        return [*self.primaries, float(_KINDS.index(self.curve)), self.exponent]

    @classmethod
    def from_numbers(cls, told: Sequence[float]) -> Self:
        """Read `to_numbers`."""
        return cls(tuple(told[:8]), _KINDS[int(told[8])], told[9])


def from_cicp(primaries: int, transfer: int) -> Signal:
    """Read the two numbers of H.273; what is unspecified or unknown is sRGB's."""
    curve, exponent = _CURVES.get(transfer, ("srgb", 1.0))
    return Signal(_PRIMARIES.get(primaries, SRGB), curve, exponent)


def is_near(one: Primaries, other: Primaries) -> bool:
    """Tell whether two sets mean the same."""
    return all(abs(left - right) < _SAME for left, right in zip(one, other, strict=True))


def between(source: Primaries, target: Primaries) -> Matrix:
    """Give the matrix from light of some primaries to light of others; ValueError where they span no space."""
    return _product(_inverse(_to_xyz(target)), _product(_adapted(source[6:], target[6:]), _to_xyz(source)))


def luminance(primaries: Primaries) -> tuple[float, ...]:
    """Give how much each of red, green and blue adds to CIE Y."""
    return _to_xyz(primaries)[1]


def _to_xyz(primaries: Primaries) -> Matrix:
    columns = [(x, y, 1 - x - y) for x, y in zip(primaries[:6:2], primaries[1:6:2], strict=True)]
    shape = tuple(zip(*columns, strict=True))
    parts = _applied(_inverse(shape), _white(primaries[6:]))
    return tuple(tuple(value * part for value, part in zip(row, parts, strict=True)) for row in shape)


def _white(point: Sequence[float]) -> tuple[float, ...]:
    x, y = point
    if y <= 0:
        raise ValueError("a white without light")
    return x / y, 1.0, (1 - x - y) / y


def _adapted(source: Sequence[float], target: Sequence[float]) -> Matrix:
    """Give Bradford's matrix from XYZ under one white to XYZ under another."""
    seen, wanted = _applied(_BRADFORD, _white(source)), _applied(_BRADFORD, _white(target))
    if min(*seen, *wanted) < _DARK:
        raise ValueError("a white that no eye sees")
    gains = [there / here for here, there in zip(seen, wanted, strict=True)]
    scaled = tuple(tuple(gain * value for value in row) for gain, row in zip(gains, _BRADFORD, strict=True))
    return _product(_inverse(_BRADFORD), scaled)


def _applied(matrix: Matrix, vector: Sequence[float]) -> tuple[float, ...]:
    return tuple(sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix)


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = tuple(zip(*right, strict=True))
    return tuple(_applied(columns, row) for row in left)


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < _FLAT:
        raise ValueError("primaries that span no space")
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / determinant for value in row) for row in adjugate)
