"""Whether an ICC profile is sRGB's: its primaries and its curve are (ICC.1:2022 §9.2, §10.6, §10.18, §10.31).

Names tell nothing: "based on sRGB" may stand in any profile, and who writes sRGB profiles calls them what he likes.
"""

import struct

_COUNT_AT, _TABLE_AT, _ENTRY = 128, 132, struct.Struct(">4sII")
_MOST_TAGS = 100
_SRGB = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
"""Adapted to D50 (IEC 61966-2-1 and Bradford)."""
_PRIMARY_OFF, _CURVE_OFF = 0.003, 0.004
"""What rounding in profiles that are sRGB's amounts to."""
_SAMPLES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95)


def is_srgb(profile: bytes) -> bool:
    """Tell whether transforming from this profile to sRGB would change nothing but roundings."""
    try:
        tags = _tags(profile)
        if any(not _near(tags[name], xyz) for name, xyz in _SRGB.items()):
            return False
        return all(_is_srgb_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    except (struct.error, KeyError, IndexError, ValueError, TypeError, ArithmeticError):  # TypeError: a complex number
        return False


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Give what each tag holds, by its signature."""
    count = struct.unpack_from(">I", profile, _COUNT_AT)[0]
    entries = (_ENTRY.unpack_from(profile, _TABLE_AT + _ENTRY.size * one) for one in range(min(count, _MOST_TAGS)))
    return {name: profile[at : at + size] for name, at, size in entries}


def _near(tag: bytes, xyz: tuple[float, ...]) -> bool:
    told = struct.unpack_from(">3i", tag, 8)
    return all(abs(one / 65_536 - other) < _PRIMARY_OFF for one, other in zip(told, xyz, strict=True))


def _is_srgb_curve(tag: bytes) -> bool:
    return all(abs(_linear(tag, sample) - _srgb(sample)) < _CURVE_OFF for sample in _SAMPLES)


def _srgb(sample: float) -> float:
    return float(sample / 12.92 if sample <= 0.04045 else ((sample + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - IEC 61966-2-1


def _linear(tag: bytes, sample: float) -> float:
    """Evaluate a curve, sampled or parametric, at one place."""
    kind = tag[:4]
    if kind == b"curv":
        return _sampled(tag, sample)
    if kind != b"para":
        raise ValueError("a curve of another kind")
    how = struct.unpack_from(">H", tag, 8)[0]
    g, a, b, c, d, e, f = (*_fixed(tag, 12, (1, 3, 4, 5, 7)[how]), *(0.0,) * 6)[:7]
    if how == 0:
        return float(sample**g)
    if how in (1, 2):
        return float((a * sample + b) ** g if sample >= -b / a else 0.0) + (c if how == 2 else 0.0)  # noqa: PLR2004 - its number
    return float((a * sample + b) ** g + e if sample >= d else c * sample + f)


def _sampled(tag: bytes, sample: float) -> float:
    count = struct.unpack_from(">I", tag, 8)[0]
    if count == 0:
        return sample
    if count == 1:
        return float(sample ** (struct.unpack_from(">H", tag, 12)[0] / 256))
    place = sample * (count - 1)
    low = min(int(place), count - 2)
    one, other = struct.unpack_from(">2H", tag, 12 + 2 * low)
    return float((one + (other - one) * (place - low)) / 65_535)


def _fixed(tag: bytes, at: int, count: int) -> tuple[float, ...]:
    return tuple(one / 65_536 for one in struct.unpack_from(f">{count}i", tag, at))
