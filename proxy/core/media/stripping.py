"""Removal of metadata from an encoded picture, without decoding it. The result is never larger than the input.

Only the data that affect the display are preserved: pixels, palette, transparency, colour (ICC profiles and colour
signals), timing and loop. The result for a file that violates its format is None; the picture is then encoded anew.

The module is hand-written because no maintained Python library does this for all four formats. It is what allows the
original's own pixels to be the response when encoding them anew would produce a larger file.

Sources: JPEG ITU T.81 annex B; PNG W3C §5; WebP RFC 9649; GIF89a §12–27.
"""

from collections.abc import Callable, Iterator

from proxy.core.media.formats import GIF, JPEG, PNG, WEBP, Format

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_COM = 0xFE
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length field: TEM and RST0 to RST7."""
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"}
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_JPEG_SEGMENTS = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""APPn segments that affect the display, by marker; JFIF, which implies the colour space, is handled separately."""
_JFIF, _JFIF_BYTES = b"JFIF\0", 16
_VP8X_METADATA = 0x0C
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def strip(body: bytes, source: Format) -> bytes | None:
    """Return the picture without metadata, or None if the format is not supported or the file is invalid."""
    stripper = _STRIPPERS.get(source)
    try:
        return b"".join(stripper(body)) if stripper else None
    except (IndexError, ValueError):
        return None


def _jpeg(body: bytes) -> Iterator[bytes]:
    """Yield all segments except comments and APPn other than JFIF, ICC and Adobe; drop data behind the end."""
    yield body[:2]
    at = 2
    while True:
        if body[at] != 0xFF:  # noqa: PLR2004 - first byte of a marker
            raise ValueError("a marker is missing")
        marker = body[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill byte
            at += 1
            continue
        if marker == _EOI:
            yield body[at : at + 2]
            return
        end = at + 2 if marker in _WITHOUT_LENGTH else at + 2 + _length(body, at + 2)
        if end > len(body):
            raise ValueError("the file is truncated")
        if marker == 0xE0 and body[at + 4 : at + 9] == _JFIF:  # noqa: PLR2004 - APP0
            yield _jfif(body[at:end])
        elif not _is_metadata(marker, body[at + 4 : at + 16]):
            yield body[at:end]
        at = end
        if marker == _SOS:
            at = _end_of_scan(body, end)
            yield body[end:at]


def _jfif(segment: bytes) -> bytes:
    """Return a JFIF segment without its thumbnail (ITU T.871 §10.1)."""
    if len(segment) < 2 + _JFIF_BYTES:
        raise ValueError("the file is truncated")
    return segment[:2] + _JFIF_BYTES.to_bytes(2, "big") + segment[4:16] + b"\0\0"


def _length(body: bytes, at: int) -> int:
    length = int.from_bytes(body[at : at + 2], "big")
    if length < 2:  # noqa: PLR2004 - the length includes its own field
        raise ValueError("a segment is shorter than its length field")
    return length


def _is_metadata(marker: int, begins: bytes) -> bool:
    if marker == _COM:
        return True
    if not 0xE0 <= marker <= 0xEF:  # noqa: PLR2004 - APP0 to APP15
        return False
    identifier = _JPEG_SEGMENTS.get(marker)
    return identifier is None or not begins.startswith(identifier)


def _end_of_scan(body: bytes, at: int) -> int:
    """Return the offset of the next marker that is not part of the entropy-coded data (T.81 §B.1.1.5)."""
    while True:
        at = body.index(0xFF, at)
        if body[at + 1] != 0 and body[at + 1] not in _WITHOUT_LENGTH:
            return at
        at += 2


def _png(body: bytes) -> Iterator[bytes]:
    """Yield the chunks that affect the display of a still picture."""
    yield body[:8]
    at = 8
    while True:
        kind = body[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body) or len(kind) < 4:  # noqa: PLR2004 - length of a chunk type
            raise ValueError("the file is truncated")
        if kind in _PNG_CHUNKS:
            yield body[at:end]
        if kind == b"IEND":
            return
        at = end


def _webp(body: bytes) -> Iterator[bytes]:
    """Yield the chunks of pixels, colour and timing, and clear the metadata flags of VP8X."""
    whole = 8 + int.from_bytes(body[4:8], "little")
    if whole > len(body):
        raise ValueError("the file is truncated")
    chunks = []
    at = 12
    while at + 8 <= whole:
        kind, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        if end > whole:
            raise ValueError("the file is truncated")
        if kind == b"VP8X":
            chunks.append(body[at : at + 8] + bytes([body[at + 8] & ~_VP8X_METADATA]) + body[at + 9 : end])
        elif kind == b"ANMF":
            chunks.append(_chunk(kind, body[at + 8 : at + 24] + b"".join(_frame_chunks(body[at + 24 : at + 8 + size]))))
        elif kind in _WEBP_CHUNKS:
            chunks.append(body[at:end])
        at = end
    yield b"RIFF" + (4 + sum(map(len, chunks))).to_bytes(4, "little") + b"WEBP"
    yield from chunks


def _frame_chunks(frame: bytes) -> Iterator[bytes]:
    """Yield the chunks of pixels of one frame of an animation."""
    at = 0
    while at + 8 <= len(frame):
        kind, size = frame[at : at + 4], int.from_bytes(frame[at + 4 : at + 8], "little")
        if at + 8 + size > len(frame):
            raise ValueError("the file is truncated")
        if kind in _WEBP_CHUNKS:
            yield _chunk(kind, frame[at + 8 : at + 8 + size])
        at += 8 + size + size % 2


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)


def _gif(body: bytes) -> Iterator[bytes]:
    """Yield images, graphic controls and the loop; drop comments, plain text and other application blocks."""
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
            raise ValueError("a block has an unknown type")
        at = end


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(body: bytes, at: int) -> int:
    while size := body[at]:
        at += size + 1
    return at + 1


_STRIPPERS: dict[Format, Callable[[bytes], Iterator[bytes]]] = {JPEG: _jpeg, PNG: _png, WEBP: _webp, GIF: _gif}
