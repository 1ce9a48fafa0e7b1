"""The colour signal in an AVIF or HEIC: a property that the primary item is associated with.

A file is a row of boxes, a box a length, a kind and a content, which may be boxes again (ISO/IEC 14496-12 §4.2). `meta`
names the primary item (`pitm`), lists properties (`ipco`) and says which items they are of (`ipma`); the one of kind
`colr` that begins with "nclx" has the numbers of ITU-T H.273 (23008-12 §6.5.5).
"""

from collections.abc import Iterator

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import Signal, from_cicp

_MOST_BOXES = 4_096
"""Of one row."""
_LONGEST = 65_536
"""Bytes of `ipma` that are looked at."""
_FULL = 4
"""Bytes of version and flags, which some boxes begin with."""
_END = 1 << 62

_Box = tuple[bytes, int, int]
"""Kind, and where the content begins and ends."""


def read_signal(read: Read) -> Signal | None:
    """Give the primary picture's colour signal, or None where there is none that makes sense."""
    try:
        meta = _first(read, 0, _END, b"meta")
        if meta is None:
            return None
        inner = {kind: (begins, ends) for kind, begins, ends in _row(read, meta[0] + _FULL, meta[1])}
        item = _primary(read, *inner[b"pitm"])
        owned = _owned(read, *inner[b"iprp"], item)
        return _colour(read, *inner[b"iprp"], owned)
    except (IndexError, KeyError):
        return None


def _row(read: Read, at: int, end: int) -> Iterator[_Box]:
    for _ in range(_MOST_BOXES):
        head = read(at, 16)
        if at + 8 > end or len(head) < 8:  # noqa: PLR2004 - a length and a kind
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
    return next(((begins, ends) for found, begins, ends in _row(read, at, end) if found == kind), None)


def _primary(read: Read, at: int, end: int) -> int:
    content = read(at, min(end - at, 8))
    return _number(content[_FULL : _FULL + 2] if content[0] == 0 else content[_FULL:])


def _owned(read: Read, at: int, end: int, item: int) -> set[int]:
    """Give the places, from 1 on, of the properties that an item has."""
    owned: set[int] = set()
    for kind, begins, ends in _row(read, at, end):
        if kind == b"ipma":
            owned |= _associated(read(begins, min(ends - begins, _LONGEST)), item)
    return owned


def _associated(content: bytes, item: int) -> set[int]:
    name, place = (2 if content[0] == 0 else 4), (2 if content[3] & 1 else 1)
    at = _FULL + 4
    for _ in range(_number(content[_FULL:at])):
        found, count = _number(content[at : at + name]), content[at + name]
        at += name + 1
        if found == item:
            places = (content[one : one + place] for one in range(at, at + count * place, place))
            return {_number(one) & ((1 << (8 * place - 1)) - 1) for one in places}  # the first bit says: essential
        at += count * place
    return set()


def _colour(read: Read, at: int, end: int, owned: set[int]) -> Signal | None:
    listed = _first(read, at, end, b"ipco")
    if listed is None:
        return None
    for place, (kind, begins, ends) in enumerate(_row(read, *listed), 1):
        if place in owned and kind == b"colr":
            content = read(begins, min(ends - begins, 8))
            if content[:4] == b"nclx" and len(content) == 8:  # noqa: PLR2004 - its kind and two numbers
                return from_cicp(_number(content[4:6]), _number(content[6:8]))
    return None


def _number(piece: bytes) -> int:
    return int.from_bytes(piece, "big")
