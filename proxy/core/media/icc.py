"""Detection of ICC profiles that are equivalent to sRGB.

A profile is compared by its primaries and its tone curves (ICC.1:2022 §9.2, §10.6, §10.18, §10.31). Its description is
ignored: profiles of sRGB have many names, and "based on sRGB" may appear in any profile.

The module is hand-written because the server has no colour management library besides libvips, which transforms
pixels but does not report whether a profile is sRGB. It decides whether the transformation can be skipped.
"""

import struct

_COUNT_AT, _TABLE_AT, _ENTRY = 128, 132, struct.Struct(">4sII")
_MAX_TAGS = 100
_SRGB = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
"""Tags of the primaries, as XYZ adapted to D50 (IEC 61966-2-1 and the Bradford method)."""
_PRIMARY_TOLERANCE, _CURVE_TOLERANCE = 0.003, 0.004
"""Largest rounding errors of profiles that are sRGB."""
_SAMPLES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95)


def is_srgb(profile: bytes) -> bool:
    """Return whether a transformation from this profile to sRGB would change pixels by rounding errors only."""
    try:
        tags = _tags(profile)
        if any(not _near(tags[name], xyz) for name, xyz in _SRGB.items()):
            return False
        return all(_is_srgb_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    except (struct.error, KeyError, IndexError, ValueError, TypeError, ArithmeticError):  # TypeError: a complex number
        return False


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the contents of each tag by its signature."""
    count = struct.unpack_from(">I", profile, _COUNT_AT)[0]
    entries = (_ENTRY.unpack_from(profile, _TABLE_AT + _ENTRY.size * index) for index in range(min(count, _MAX_TAGS)))
    return {name: profile[at : at + size] for name, at, size in entries}


def _near(tag: bytes, xyz: tuple[float, ...]) -> bool:
    values = struct.unpack_from(">3i", tag, 8)
    return all(abs(value / 65_536 - target) < _PRIMARY_TOLERANCE for value, target in zip(values, xyz, strict=True))


def _is_srgb_curve(tag: bytes) -> bool:
    return all(abs(_linear(tag, sample) - _srgb(sample)) < _CURVE_TOLERANCE for sample in _SAMPLES)


def _srgb(sample: float) -> float:
    return float(sample / 12.92 if sample <= 0.04045 else ((sample + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - IEC 61966-2-1


def _linear(tag: bytes, sample: float) -> float:
    """Return the value of a sampled or parametric curve at `sample`, 0 to 1."""
    kind = tag[:4]
    if kind == b"curv":
        return _sampled(tag, sample)
    if kind != b"para":
        raise ValueError("the curve has an unknown type")
    function = struct.unpack_from(">H", tag, 8)[0]
    g, a, b, c, d, e, f = (*_fixed(tag, 12, (1, 3, 4, 5, 7)[function]), *(0.0,) * 6)[:7]
    if function == 0:
        return float(sample**g)
    if function in (1, 2):
        return float((a * sample + b) ** g if sample >= -b / a else 0.0) + (c if function == 2 else 0.0)  # noqa: PLR2004 - the function type
    return float((a * sample + b) ** g + e if sample >= d else c * sample + f)


def _sampled(tag: bytes, sample: float) -> float:
    count = struct.unpack_from(">I", tag, 8)[0]
    if count == 0:
        return sample
    if count == 1:
        return float(sample ** (struct.unpack_from(">H", tag, 12)[0] / 256))
    position = sample * (count - 1)
    low = min(int(position), count - 2)
    left, right = struct.unpack_from(">2H", tag, 12 + 2 * low)
    return float((left + (right - left) * (position - low)) / 65_535)


def _fixed(tag: bytes, at: int, count: int) -> tuple[float, ...]:
    return tuple(value / 65_536 for value in struct.unpack_from(f">{count}i", tag, at))
