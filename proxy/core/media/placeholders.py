"""Placeholders: short texts that represent a picture until it is loaded.

Theory. BlurHash and ThumbHash contain the lowest frequencies of a picture: the quantised coefficients of a discrete
cosine transform of a small copy. A two-dimensional transform is a transform of the rows followed by one of the columns.

Sources: BlurHash (github.com/woltapp/blurhash, Algorithm.md), ThumbHash (evanw.github.io/thumbhash).
"""

from base64 import b64encode
from collections.abc import Sequence
from math import cos, floor, pi, sqrt
from operator import mul

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_MAX_COMPONENTS = 4


def blurhash(width: int, height: int, pixels: bytes) -> str:
    """Return the BlurHash of `width × height` pixels of three bytes (sRGB), with 4×3 components (portraits: 3×4)."""
    nx, ny = (_MAX_COMPONENTS, 3) if width >= height else (3, _MAX_COMPONENTS)
    channels = [_transform(_linear(pixels[band::3]), width, nx, ny, at=0.0) for band in range(3)]
    factors = [
        [channels[band][y][x] * (1 if x == y == 0 else 2) for band in range(3)] for y in range(ny) for x in range(nx)
    ]
    first, rest = factors[0], factors[1:]
    largest = max(abs(value) for factor in rest for value in factor)
    scale = max(0, min(82, floor(largest * 166 - 0.5)))
    text = _digits(nx - 1 + (ny - 1) * 9, 1) + _digits(scale, 1)
    red, green, blue = map(_to_srgb, first)
    text += _digits((red << 16) + (green << 8) + blue, 4)
    for factor in rest:
        red, green, blue = (_quantised(value / ((scale + 1) / 166)) for value in factor)
        text += _digits(red * 19 * 19 + green * 19 + blue, 2)
    return text


def thumbhash(width: int, height: int, pixels: bytes) -> str:
    """Return the ThumbHash, in base64, of `width × height` pixels of four bytes (sRGB and alpha), at most 100×100."""
    luminance, first, second, alpha = _opponent_channels(pixels)
    has_alpha = min(alpha) < 1
    limit, longest = (5 if has_alpha else 7), max(width, height)
    across, down = (max(1, floor(limit * side / longest + 0.5)) for side in (width, height))
    channels = [
        _Channel(luminance, width, max(3, across), max(3, down)),
        _Channel(first, width, 3, 3),
        _Channel(second, width, 3, 3),
    ]
    light, p, q = channels
    landscape = width > height
    head = _rounded(63, light.dc) | _rounded(31.5, 1 + p.dc) << 6 | _rounded(31.5, 1 + q.dc) << 12
    head |= _rounded(31, light.scale) << 18 | has_alpha << 23
    sides = (down if landscape else across) | landscape << 15
    head |= (sides | _rounded(63, p.scale) << 3 | _rounded(63, q.scale) << 9) << 24
    body = bytearray(head.to_bytes(5, "little"))
    if has_alpha:
        channels.append(_Channel(alpha, width, 5, 5))
        body.append(_rounded(15, channels[3].dc) | _rounded(15, channels[3].scale) << 4)
    nibbles = [_rounded(15, value) for channel in channels for value in channel.values]
    nibbles += [0] * (len(nibbles) % 2)
    body += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return b64encode(body).decode()


class _Channel:
    """Coefficients of one channel: the constant one, and a triangle of low frequencies that are scaled to 0…1."""

    def __init__(self, values: Sequence[float], width: int, nx: int, ny: int) -> None:
        waves = _transform(values, width, nx, ny)
        rest = [waves[y][x] for y in range(ny) for x in range(nx) if (x or y) and x * ny < nx * (ny - y)]
        self.dc = waves[0][0]
        self.scale = max(map(abs, rest))
        self.values = [0.5 + 0.5 / self.scale * value for value in rest] if self.scale else [0.0] * len(rest)


def _transform(values: Sequence[float], width: int, nx: int, ny: int, *, at: float = 0.5) -> list[list[float]]:
    """Return the mean of `values` times each cosine wave, as [y][x] for ny × nx waves.

    `at` is the position within a pixel at which the waves are sampled, from 0 to 1.
    """
    height = len(values) // width
    waves_x = [[cos(pi * wave * (x + at) / width) for x in range(width)] for wave in range(nx)]
    waves_y = [[cos(pi * wave * (y + at) / height) for y in range(height)] for wave in range(ny)]
    rows = [values[start : start + width] for start in range(0, len(values), width)]
    along = [[_dot(row, wave) for row in rows] for wave in waves_x]
    return [[_dot(column, wave) / len(values) for column in along] for wave in waves_y]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return float(sum(map(mul, left, right)))  # in C: half the time of a generator


def _opponent_channels(pixels: bytes) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return luminance, yellow–blue, red–green and alpha; transparent pixels are given the mean colour."""
    alpha = [value / 255 for value in pixels[3::4]]
    weight = sum(alpha)
    bands = [pixels[band::4] for band in range(3)]
    means = [
        sum(value * share for value, share in zip(band, alpha, strict=True)) / 255 / weight if weight else 0.0
        for band in bands
    ]
    red, green, blue = (
        [mean * (1 - share) + share * value / 255 for value, share in zip(band, alpha, strict=True)]
        for band, mean in zip(bands, means, strict=True)
    )
    colours = list(zip(red, green, blue, strict=True))
    luminance = [sum(colour) / 3 for colour in colours]
    return luminance, [(r + g) / 2 - b for r, g, b in colours], [r - g for r, g, _ in colours], alpha


def _rounded(steps: float, value: float) -> int:
    return floor(steps * value + 0.5)


def _digits(value: int, length: int) -> str:
    return "".join(_DIGITS[value // 83**place % 83] for place in reversed(range(length)))


def _linear(values: bytes) -> list[float]:
    return [_LINEAR[value] for value in values]


_LINEAR = [v / 12.92 if (v := value / 255) <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for value in range(256)]  # noqa: PLR2004 - IEC 61966-2-1


def _to_srgb(value: float) -> int:
    value = max(0.0, min(1.0, value))
    return int((value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055) * 255 + 0.5)  # noqa: PLR2004 - IEC 61966-2-1


def _quantised(value: float) -> int:
    """Return a coefficient of −1…1 as 0…18; its square root makes the steps finer near zero."""
    root = sqrt(abs(value))
    return max(0, min(18, floor((root if value >= 0 else -root) * 9 + 9.5)))
