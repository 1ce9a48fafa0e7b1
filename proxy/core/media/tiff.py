"""Whose a TIFF is: the two fields of its first directory that libvips neither reads nor writes.

A header names the byte order and the first directory, a directory is a sorted list of entries, an entry names a tag,
its type, how many values it has and where they are (TIFF 6.0 §2; BigTIFF has wider numbers).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.core.media.byte_reader import Read

ARTIST, COPYRIGHT = 315, 33_432
_ASCII = 2
_LONGEST = 2_000
"""Bytes of a text that is read; a longer one is cut."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Numbers of one kind of file, for `struct`."""

    order: str
    offset: str
    count: str
    """Of a directory's entries."""

    def unpack(self, code: str, piece: bytes) -> int:
        return int(struct.unpack(self.order + code, piece[: struct.calcsize(self.order + code)])[0])

    def pack(self, code: str, *numbers: int) -> bytes:
        return struct.pack(self.order + code, *numbers)

    @property
    def width(self) -> int:
        return struct.calcsize(self.order + self.offset)


def read_rights(read: Read) -> dict[int, str]:
    """Give the texts of Artist and Copyright, as far as they are there and make sense."""
    try:
        layout, first = _open(read)
        return {tag: text for tag, text in _texts(read, layout, first) if text}
    except (struct.error, KeyError):
        return {}


def add_rights(body: bytes, rights: Mapping[int, str]) -> bytes:
    """Give a TIFF, of the classic kind, with these texts in its first directory: a new one, behind all there was."""
    if not rights:
        return body
    layout, first = _open(lambda at, size: body[at : at + size])
    old, following = _directory(body, layout, first)
    out = bytearray(body)
    added = {}
    for tag, text in rights.items():
        value = text.encode() + b"\0"
        inline = len(value) <= layout.width
        place = value.ljust(layout.width, b"\0") if inline else layout.pack("I", _append(out, value))
        added[tag] = layout.pack("HHI", tag, _ASCII, len(value)) + place
    entries = sorted((old | added).items())
    directory = layout.pack("H", len(entries)) + b"".join(entry for _, entry in entries) + following
    out[4:8] = layout.pack("I", _append(out, directory))
    return bytes(out)


def _append(out: bytearray, piece: bytes) -> int:
    """Put a piece at the end, on an even offset, and give that."""
    out += bytes(len(out) % 2)
    at = len(out)
    out += piece
    return at


def _open(read: Read) -> tuple[_Layout, int]:
    """Give how numbers are written, and where the first directory is; KeyError where it is no TIFF."""
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}[head[:2]]
    kind = struct.unpack_from(order + "H", head, 2)[0]
    layout = {42: _Layout(order, "I", "H"), 43: _Layout(order, "Q", "Q")}[kind]
    return layout, layout.unpack(layout.offset, head[layout.width :])


def _directory(body: bytes, layout: _Layout, at: int) -> tuple[dict[int, bytes], bytes]:
    """Give a directory's entries by tag, and where the next directory is, as it is written."""
    count = layout.unpack("H", body[at : at + 2])
    entries = [body[at + 2 + 12 * one : at + 14 + 12 * one] for one in range(count)]
    end = at + 2 + 12 * count
    return {layout.unpack("H", entry): entry for entry in entries}, body[end : end + 4]


def _texts(read: Read, layout: _Layout, at: int) -> list[tuple[int, str]]:
    width = layout.width
    head = struct.calcsize(layout.order + layout.count)
    count = min(layout.unpack(layout.count, read(at, head)), 0xFFFF)
    size = 4 + 2 * width
    table = read(at + head, count * size)
    found = []
    for start in range(0, len(table) - size + 1, size):
        entry = table[start : start + size]
        tag, kind = layout.unpack("H", entry), layout.unpack("H", entry[2:])
        if tag in (ARTIST, COPYRIGHT) and kind == _ASCII:
            length = min(layout.unpack(layout.offset, entry[4:]), _LONGEST)
            value = entry[4 + width :]
            if length > width:
                value = read(layout.unpack(layout.offset, value), length)
            found.append((tag, decoded(value[:length])))
    return found


def decoded(value: bytes) -> str:
    """Read a text up to its end: UTF-8 where it is, else Latin-1."""
    text = value.partition(b"\0")[0]
    try:
        return text.decode().strip()
    except UnicodeDecodeError:
        return text.decode("latin-1").strip()
