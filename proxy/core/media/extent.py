"""Extent: where an image ends inside its file, by the structure of its container.

What follows the end is not a part of the image: padding, a second image, or another file altogether (a polyglot). A
container that ends before its own end marker is truncated.

Sources: ITU T.81 §B.1 (JPEG markers), W3C PNG §5 (chunks), GIF89a §17 to §27 (blocks), RFC 9649 (RIFF), ISO 14496-12
(boxes).
"""

from collections.abc import Callable
from typing import Final

from proxy.core.media.byte_reader import Read
from proxy.core.media.formats import AVIF, GIF, HEIC, JPEG, PNG, WEBP, Format

_PIECE: Final = 2**18
_MAX_STEPS: Final = 2_000_000
"""Segments, chunks, blocks or markers: more than any image has, few enough to be counted in a second."""
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_STANDALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_TRAILER, _EXTENSION, _DESCRIPTOR = 0x3B, 0x21, 0x2C
_GIF_HEADER, _GIF_DESCRIPTOR = 13, 9


class Truncated(ValueError):
    """The container ends before its own end."""


def find_end(read: Read, size: int, image_format: Format) -> int | None:
    """Return the offset behind the image's last byte; None for formats whose structure is not known here.

    `size` is the file's, in bytes. Raise Truncated if the image does not end within it.
    """
    finder = _FINDERS.get(image_format.name)
    if finder is None:
        return None
    end = finder(read, size)
    if end > size:
        raise Truncated("the container ends before its own end")
    return end


def _end_of_jpeg(read: Read, size: int) -> int:
    at = 2
    for _ in range(_MAX_STEPS):
        marker = read(at, 4)
        if len(marker) < 2 or marker[0] != 0xFF:  # noqa: PLR2004 - a marker begins with FF
            break
        if marker[1] == _EOI:
            return at + 2
        if marker[1] == 0xFF:  # noqa: PLR2004 - fill bytes
            at += 1
        elif marker[1] in _STANDALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(marker[2:4], "big")
            at = _next_marker(read, at, size) if marker[1] == _SOS else at
    raise Truncated("no end of image")


def _next_marker(read: Read, at: int, size: int) -> int:
    """Return where the entropy-coded data that begins at `at` ends: at a marker that is neither stuffed nor RSTn."""
    while at < size:
        piece = read(at, _PIECE)
        found = piece.find(b"\xff")
        while 0 <= found < len(piece) - 1:
            following = piece[found + 1]
            if following != 0x00 and not 0xD0 <= following <= 0xD7:  # noqa: PLR2004 - RST0 to RST7
                return at + found
            found = piece.find(b"\xff", found + 2)
        # an FF at the piece's end is looked at again, together with what follows
        at += len(piece) - 1 if piece.endswith(b"\xff") and len(piece) > 1 else max(1, len(piece))
    raise Truncated("the entropy-coded data has no end")


def _end_of_png(read: Read, _: int) -> int:
    at = 8
    for _step in range(_MAX_STEPS):
        head = read(at, 8)
        if len(head) < 8:  # noqa: PLR2004 - length and type
            break
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at
    raise Truncated("no IEND chunk")


def _end_of_gif(read: Read, _: int) -> int:
    header = read(0, _GIF_HEADER)
    if len(header) < _GIF_HEADER:
        raise Truncated("no header")
    at = _GIF_HEADER + _table_bytes(header[10])
    for _step in range(_MAX_STEPS):
        introducer = read(at, 1)
        if not introducer:
            break
        if introducer[0] == _TRAILER:
            return at + 1
        if introducer[0] == _EXTENSION:
            at = _end_of_blocks(read, at + 2)
        elif introducer[0] == _DESCRIPTOR:
            descriptor = read(at + 1, _GIF_DESCRIPTOR)
            if len(descriptor) < _GIF_DESCRIPTOR:
                break
            at = _end_of_blocks(read, at + 2 + _GIF_DESCRIPTOR + _table_bytes(descriptor[8]))
        else:
            break
    raise Truncated("no trailer")


def _table_bytes(flags: int) -> int:
    """Return the size of the colour table that the flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_blocks(read: Read, at: int) -> int:
    """Return the offset behind a row of sub-blocks, read in large pieces."""
    piece, start = b"", at
    for _ in range(_MAX_STEPS):
        if at - start >= len(piece):
            piece, start = read(at, _PIECE), at
            if not piece:
                break
        length = piece[at - start]
        at += 1 + length
        if length == 0:
            return at
    raise Truncated("sub-blocks have no end")


def _end_of_webp(read: Read, _: int) -> int:
    head = read(0, 12)
    size = int.from_bytes(head[4:8], "little")
    return 8 + size + size % 2


def _end_of_boxes(read: Read, size: int) -> int:
    """Return the end of the last known top-level box; a box of size 0 reaches to the end of the file."""
    at = 0
    for _ in range(_MAX_STEPS):
        head = read(at, 16)
        if len(head) < 8 or head[4:8] not in _BOXES:  # noqa: PLR2004 - size and type
            return at
        length = int.from_bytes(head[:4], "big")
        if length == 0:
            return size
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # noqa: PLR2004 - a box holds its own head
            break
        at += length
        if at >= size:
            return at
    raise Truncated("boxes have no end")


_BOXES: Final = frozenset(
    {
        b"ftyp",
        b"meta",
        b"mdat",
        b"moov",
        b"free",
        b"skip",
        b"uuid",
        b"idat",
        b"wide",
        b"styp",
        b"sidx",
        b"moof",
        b"mfra",
    }
)
_FINDERS: Final[dict[str, Callable[[Read, int], int]]] = {
    JPEG.name: _end_of_jpeg,
    PNG.name: _end_of_png,
    GIF.name: _end_of_gif,
    WEBP.name: _end_of_webp,
    AVIF.name: _end_of_boxes,
    HEIC.name: _end_of_boxes,
}
