"""An original's own pixels without its metadata: bytes in, fewer or as many bytes out, nothing decoded.

Only what a picture is shown by stays: pixels, palette, transparency, colour (ICC and what stands in for it), timing and
loop. Whatever is not as its format says gives None: then it is written anew instead.

Sources: JPEG ITU T.81 annex B; PNG W3C §5; WebP RFC 9649; GIF89a §12–27.
"""

from collections.abc import Callable, Iterator

from proxy.core.media.formats import GIF, JPEG, PNG, WEBP, Format

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_COM = 0xFE
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length: TEM and the restarts."""
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_JPEG_KEPT = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""APPn that a picture is shown by, beside JFIF, which says what its colours are."""
_JFIF, _JFIF_BYTES = b"JFIF\0", 16
_VP8X_METADATA = 0x0C
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def strip(body: bytes, source: Format) -> bytes | None:
    """Give the picture without metadata, or None where that cannot be done."""
    how = _STRIPPERS.get(source)
    try:
        return b"".join(how(body)) if how else None
    except (IndexError, ValueError):
        return None


def _jpeg(body: bytes) -> Iterator[bytes]:
    """Keep all segments but APPn and comments; of APPn keep JFIF, ICC and Adobe's. What follows the end is dropped."""
    yield body[:2]
    at = 2
    while True:
        if body[at] != 0xFF:  # noqa: PLR2004 - every marker begins so
            raise ValueError("no marker")
        marker = body[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill byte
            at += 1
            continue
        if marker == _EOI:
            yield body[at : at + 2]
            return
        end = at + 2 if marker in _ALONE else at + 2 + _length(body, at + 2)
        if end > len(body):
            raise ValueError("cut")
        if marker == 0xE0 and body[at + 4 : at + 9] == _JFIF:  # noqa: PLR2004 - APP0
            yield _jfif(body[at:end])
        elif not _is_metadata(marker, body[at + 4 : at + 16]):
            yield body[at:end]
        at = end
        if marker == _SOS:
            at = _end_of_scan(body, end)
            yield body[end:at]


def _jfif(segment: bytes) -> bytes:
    """Give the segment without its thumbnail (ITU T.871 §10.1)."""
    if len(segment) < 2 + _JFIF_BYTES:
        raise ValueError("cut")
    return segment[:2] + _JFIF_BYTES.to_bytes(2, "big") + segment[4:16] + b"\0\0"


def _length(body: bytes, at: int) -> int:
    length = int.from_bytes(body[at : at + 2], "big")
    if length < 2:  # noqa: PLR2004 - it counts itself
        raise ValueError("no length")
    return length


def _is_metadata(marker: int, begins: bytes) -> bool:
    if marker == _COM:
        return True
    if not 0xE0 <= marker <= 0xEF:  # noqa: PLR2004 - APP0 to APP15
        return False
    kept = _JPEG_KEPT.get(marker)
    return kept is None or not begins.startswith(kept)


def _end_of_scan(body: bytes, at: int) -> int:
    """Find the next marker that is not a part of the entropy-coded data (T.81 §B.1.1.5)."""
    while True:
        at = body.index(0xFF, at)
        if body[at + 1] != 0 and body[at + 1] not in _ALONE:
            return at
        at += 2


def _png(body: bytes) -> Iterator[bytes]:
    """Keep the chunks that a still picture is shown by."""
    yield body[:8]
    at = 8
    while True:
        kind = body[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body) or len(kind) < 4:  # noqa: PLR2004 - a kind's letters
            raise ValueError("cut")
        if kind in _PNG_KEPT:
            yield body[at:end]
        if kind == b"IEND":
            return
        at = end


def _webp(body: bytes) -> Iterator[bytes]:
    """Keep the chunks that pixels, colour and timing are in, and say so in VP8X."""
    whole = 8 + int.from_bytes(body[4:8], "little")
    if whole > len(body):
        raise ValueError("cut")
    kept = []
    at = 12
    while at + 8 <= whole:
        kind, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        if end > whole:
            raise ValueError("cut")
        if kind == b"VP8X":
            kept.append(body[at : at + 8] + bytes([body[at + 8] & ~_VP8X_METADATA]) + body[at + 9 : end])
        elif kind == b"ANMF":
            kept.append(_chunk(kind, body[at + 8 : at + 24] + b"".join(_frame_chunks(body[at + 24 : at + 8 + size]))))
        elif kind in _WEBP_KEPT:
            kept.append(body[at:end])
        at = end
    yield b"RIFF" + (4 + sum(map(len, kept))).to_bytes(4, "little") + b"WEBP"
    yield from kept


def _frame_chunks(frame: bytes) -> Iterator[bytes]:
    """Keep the chunks of one frame of an animation that its pixels are in."""
    at = 0
    while at + 8 <= len(frame):
        kind, size = frame[at : at + 4], int.from_bytes(frame[at + 4 : at + 8], "little")
        if at + 8 + size > len(frame):
            raise ValueError("cut")
        if kind in _WEBP_KEPT:
            yield _chunk(kind, frame[at + 8 : at + 8 + size])
        at += 8 + size + size % 2


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)


def _gif(body: bytes) -> Iterator[bytes]:
    """Keep images, their controls and the loop; drop comments, plain texts and other applications' blocks."""
    at = 13 + _table(body[10])
    yield body[:at]
    while True:
        kind = body[at]
        if kind == 0x3B:  # noqa: PLR2004 - trailer
            yield body[at : at + 1]
            return
        if kind == 0x2C:  # noqa: PLR2004 - image
            end = _after_blocks(body, at + 10 + _table(body[at + 9]) + 1)
            yield body[at:end]
        elif kind == 0x21:  # noqa: PLR2004 - extension
            end = _after_blocks(body, at + 2)
            looping = body[at + 1] == 0xFF and body[at + 3 : at + 14] in _GIF_LOOPS  # noqa: PLR2004 - application
            if body[at + 1] == 0xF9 or looping:  # noqa: PLR2004 - graphic control
                yield body[at:end]
        else:
            raise ValueError("no block")
        at = end


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(body: bytes, at: int) -> int:
    while size := body[at]:
        at += size + 1
    return at + 1


_STRIPPERS: dict[Format, Callable[[bytes], Iterator[bytes]]] = {JPEG: _jpeg, PNG: _png, WEBP: _webp, GIF: _gif}
