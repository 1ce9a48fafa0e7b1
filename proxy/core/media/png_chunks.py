"""The colour signal in a PNG: cICP, or gAMA with or without cHRM where no sRGB and no iCCP is (W3C PNG §11.3.2).

What stands later than the first IDAT is not looked at. cHRM without gAMA is left out of account, as browsers do.
"""

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import SRGB, Primaries, Signal, between, from_cicp, is_near

_MOST_CHUNKS = 1_024
_KINDS = {b"cICP": 4, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"iCCP": 0}
"""Chunks that tell of colour, and how many bytes of each are looked at."""
_UNSPECIFIED = 2
_UNIT = 100_000
"""gAMA and cHRM have whole numbers of these parts."""
_SCREEN, _UNSEEN = 2.2, 0.05
"""A screen's exponent, and how far from undoing it a file's may be (libpng's PNG_GAMMA_THRESHOLD)."""


def read_signal(read: Read) -> Signal | None:
    """Give the picture's colour signal, or None where there is none that makes sense, or a profile."""
    told = _told(read)
    numbers = told.get(b"cICP", b"")
    if numbers[2:] == b"\0\1" and _UNSPECIFIED not in numbers[:2]:  # RGB, full range: anything else is a mistake
        return from_cicp(numbers[0], numbers[1])
    if b"iCCP" in told or b"sRGB" in told:
        return None
    gamma = int.from_bytes(told.get(b"gAMA", b""), "big") / _UNIT
    if not gamma:
        return None
    primaries = _primaries(told.get(b"cHRM", b""))
    if abs(gamma * _SCREEN - 1) < _UNSEEN and is_near(primaries, SRGB):
        return Signal()
    return Signal(primaries, "power", 1 / gamma)


def _told(read: Read) -> dict[bytes, bytes]:
    """Give the chunks that tell of colour: of each kind the first."""
    told: dict[bytes, bytes] = {}
    at = 8
    for _ in range(_MOST_CHUNKS):
        head = read(at, 8)
        kind = head[4:]
        if len(kind) < 4 or kind == b"IDAT":  # noqa: PLR2004 - a kind's letters
            break
        if kind in _KINDS and kind not in told:
            told[kind] = read(at + 8, _KINDS[kind])
        at += 12 + int.from_bytes(head[:4], "big")
    return told


def _primaries(content: bytes) -> Primaries:
    """Read cHRM, which begins with the white; sRGB's where it is missing or makes no sense."""
    if len(content) < _KINDS[b"cHRM"]:
        return SRGB
    white_x, white_y, *others = (int.from_bytes(content[at : at + 4], "big") / _UNIT for at in range(0, 32, 4))
    primaries = (*others, white_x, white_y)
    try:
        between(primaries, SRGB)
    except ValueError:
        return SRGB
    return primaries
