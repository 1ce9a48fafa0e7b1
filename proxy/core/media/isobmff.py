"""Reader of the colour signal of an AVIF or HEIC file: a property that is associated with the primary item.

A file is a sequence of boxes. A box consists of a length, a type and contents, which may again be a sequence of boxes
(ISO/IEC 14496-12 §4.2). The `meta` box identifies the primary item (`pitm`), lists properties (`ipco`) and associates
them with items (`ipma`). A `colr` property of type "nclx" contains the code points of ITU-T H.273 (23008-12 §6.5.5).
"""

from collections.abc import Iterator

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import Signal, from_cicp

_MAX_BOXES = 4_096
"""Boxes of one sequence that are examined."""
_MAX_IPMA_BYTES = 65_536
"""Bytes of `ipma` that are examined."""
_FULL = 4
"""Bytes of version and flags at the beginning of a full box."""
_END = 1 << 62

_Box = tuple[bytes, int, int]
"""Type of a box, and the offsets at which its contents begin and end."""


def read_signal(read: Read) -> Signal | None:
    """Return the colour signal of the primary item, or None if there is no valid one."""
    try:
        meta = _first(read, 0, _END, b"meta")
        if meta is None:
            return None
        inner = {kind: (begins, ends) for kind, begins, ends in _boxes(read, meta[0] + _FULL, meta[1])}
        item = _primary(read, *inner[b"pitm"])
        indexes = _property_indexes(read, *inner[b"iprp"], item)
        return _colour(read, *inner[b"iprp"], indexes)
    except (IndexError, KeyError):
        return None


def _boxes(read: Read, at: int, end: int) -> Iterator[_Box]:
    for _ in range(_MAX_BOXES):
        head = read(at, 16)
        if at + 8 > end or len(head) < 8:  # noqa: PLR2004 - length and type
            return
        length, begins = _number(head[:4]), at + 8
        if length == 1:
            length, begins = _number(head[8:]), at + 16
        ends = end if length == 0 else min(at + length, end)
        if ends < begins:
            return
        yield head[4:8], begins, ends
        at = ends


def _first(read: Read, at: int, end: int, kind: bytes) -> tuple[int, int] | None:
    return next(((begins, ends) for box, begins, ends in _boxes(read, at, end) if box == kind), None)


def _primary(read: Read, at: int, end: int) -> int:
    content = read(at, min(end - at, 8))
    return _number(content[_FULL : _FULL + 2] if content[0] == 0 else content[_FULL:])


def _property_indexes(read: Read, at: int, end: int, item: int) -> set[int]:
    """Return the indexes, counted from 1, of the properties that are associated with an item."""
    indexes: set[int] = set()
    for kind, begins, ends in _boxes(read, at, end):
        if kind == b"ipma":
            indexes |= _associated(read(begins, min(ends - begins, _MAX_IPMA_BYTES)), item)
    return indexes


def _associated(content: bytes, item: int) -> set[int]:
    """Return the indexes of an item's properties from the contents of an `ipma` box."""
    id_bytes, index_bytes = (2 if content[0] == 0 else 4), (2 if content[3] & 1 else 1)
    index_mask = (1 << (8 * index_bytes - 1)) - 1  # the highest bit marks an essential property
    at = _FULL + 4
    for _ in range(_number(content[_FULL:at])):
        entry, count = _number(content[at : at + id_bytes]), content[at + id_bytes]
        at += id_bytes + 1
        end = at + count * index_bytes
        if entry == item:
            indexes = (content[start : start + index_bytes] for start in range(at, end, index_bytes))
            return {_number(index) & index_mask for index in indexes}
        at = end
    return set()


def _colour(read: Read, at: int, end: int, indexes: set[int]) -> Signal | None:
    properties = _first(read, at, end, b"ipco")
    if properties is None:
        return None
    for index, (kind, begins, ends) in enumerate(_boxes(read, *properties), 1):
        if index in indexes and kind == b"colr":
            content = read(begins, min(ends - begins, 8))
            if content[:4] == b"nclx" and len(content) == 8:  # noqa: PLR2004 - its type and two code points
                return from_cicp(_number(content[4:6]), _number(content[6:8]))
    return None


def _number(piece: bytes) -> int:
    return int.from_bytes(piece, "big")
