"""Reader of the colour signal of a PNG file (W3C PNG §11.3.2).

The signal is a cICP chunk, or a gAMA chunk with an optional cHRM chunk if neither sRGB nor iCCP is present. Chunks
behind the first IDAT are ignored. A cHRM chunk without gAMA is ignored, as browsers do.
"""

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import SRGB, Primaries, Signal, between, from_cicp, is_near

_MAX_CHUNKS = 1_024
_CHUNK_BYTES = {b"cICP": 4, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"iCCP": 0}
"""Types of chunks that describe colour, and the number of bytes of each that are read."""
_UNSPECIFIED = 2
_UNIT = 100_000
"""gAMA and cHRM store values multiplied by this."""
_DISPLAY_GAMMA, _GAMMA_TOLERANCE = 2.2, 0.05
"""Gamma of a display, and the deviation from its inverse that is ignored (libpng's PNG_GAMMA_THRESHOLD)."""


def read_signal(read: Read) -> Signal | None:
    """Return the colour signal, or None if there is no valid one or the file has a profile or an sRGB chunk."""
    chunks = _colour_chunks(read)
    code_points = chunks.get(b"cICP", b"")
    if code_points[2:] == b"\0\1" and _UNSPECIFIED not in code_points[:2]:  # only RGB with full range is valid
        return from_cicp(code_points[0], code_points[1])
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big") / _UNIT
    if not gamma:
        return None
    primaries = _primaries(chunks.get(b"cHRM", b""))
    if abs(gamma * _DISPLAY_GAMMA - 1) < _GAMMA_TOLERANCE and is_near(primaries, SRGB):
        return Signal()
    return Signal(primaries, "power", 1 / gamma)


def _colour_chunks(read: Read) -> dict[bytes, bytes]:
    """Return the contents of the first chunk of each type that describes colour."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    for _ in range(_MAX_CHUNKS):
        head = read(at, 8)
        kind = head[4:]
        if len(kind) < 4 or kind == b"IDAT":  # noqa: PLR2004 - length of a chunk type
            break
        if kind in _CHUNK_BYTES and kind not in chunks:
            chunks[kind] = read(at + 8, _CHUNK_BYTES[kind])
        at += 12 + int.from_bytes(head[:4], "big")
    return chunks


def _primaries(content: bytes) -> Primaries:
    """Return the primaries of a cHRM chunk, which starts with the white point; those of sRGB if it is invalid."""
    if len(content) < _CHUNK_BYTES[b"cHRM"]:
        return SRGB
    white_x, white_y, *colours = (int.from_bytes(content[at : at + 4], "big") / _UNIT for at in range(0, 32, 4))
    primaries = (*colours, white_x, white_y)
    try:
        between(primaries, SRGB)
    except ValueError:
        return SRGB
    return primaries
