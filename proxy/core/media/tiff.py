"""Fields of TIFF directories, in TIFF files and in EXIF blocks, which are TIFF files without an image.

A header names the byte order and the offset of the first directory. A directory is a sorted list of entries. An entry
has a tag, a type, a number of values, and the values themselves or their offset (TIFF 6.0 §2; BigTIFF has wider
numbers).
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from proxy.core.media.byte_reader import Read

ARTIST, COPYRIGHT = 315, 33_432
"""The same tags in TIFF and in EXIF."""
MAX_FIELD_BYTES = 2_000
"""A longer text is cut, any other longer field is ignored."""
_ASCII = 2
_KIND_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Size of one value by its type."""
_MAX_ENTRIES = 0xFFFF


class Field(NamedTuple):
    """The values of one tag, as they are written in the file's byte order."""

    kind: int
    """The type of the values."""
    length: int
    """The number of values."""
    value: bytes

    @classmethod
    def from_text(cls, text: str) -> "Field":
        """Return a text in UTF-8. TIFF and EXIF define ASCII, but readers expect UTF-8 (EXIF 3.0 has a type for it)."""
        value = text.encode() + b"\0"
        return cls(_ASCII, len(value), value)

    def text(self) -> str | None:
        """Return the text up to its terminator; None if the field is not a text."""
        return decode_text(self.value) if self.kind == _ASCII else None


@dataclass(frozen=True, slots=True)
class Layout:
    """How numbers are written in one file: byte order, and `struct` codes of an offset and of an entry count."""

    order: str = "<"
    offset: str = "I"
    count: str = "H"

    def unpack(self, code: str, data: bytes) -> int:
        """Read one number at the start of `data`."""
        return int(struct.unpack_from(self.order + code, data)[0])

    def pack(self, code: str, *numbers: int) -> bytes:
        """Write numbers."""
        return struct.pack(self.order + code, *numbers)

    @property
    def width(self) -> int:
        """Bytes of an offset, which is also how many bytes of values an entry holds itself."""
        return struct.calcsize(self.order + self.offset)


def open_tiff(read: Read) -> tuple[Layout, int]:
    """Return the layout and the offset of the first directory. Raise ValueError if this is not a TIFF."""
    head = read(0, 16)
    try:
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        layout = {42: Layout(order), 43: Layout(order, "Q", "Q")}[struct.unpack_from(order + "H", head, 2)[0]]
        return layout, layout.unpack(layout.offset, head[layout.width :])
    except (KeyError, struct.error):
        raise ValueError("not a TIFF") from None


def read_fields(read: Read, layout: Layout, start: int, tags: Collection[int]) -> dict[int, Field]:
    """Return those fields of the directory at `start` that have one of the tags and whose values are present."""
    fields = {}
    for tag, kind, length, inline in _entries(read, layout, start):
        size = length * _KIND_BYTES.get(kind, 0)
        if kind == _ASCII:
            size = min(size, MAX_FIELD_BYTES)
        if tag not in tags or not 0 < size <= MAX_FIELD_BYTES:
            continue
        value = inline[:size] if size <= layout.width else read(layout.unpack(layout.offset, inline), size)
        if len(value) == size:
            fields[tag] = Field(kind, size // _KIND_BYTES[kind], value)
    return fields


def _entries(read: Read, layout: Layout, start: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Return tag, type, number of values, and the bytes that hold the values or their offset."""
    count_bytes, width = struct.calcsize(layout.order + layout.count), layout.width
    head = read(start, count_bytes)
    if len(head) < count_bytes:
        return
    size = 4 + 2 * width
    table = read(start + count_bytes, min(layout.unpack(layout.count, head), _MAX_ENTRIES) * size)
    for at in range(0, len(table) - size + 1, size):
        entry = table[at : at + size]
        length = layout.unpack(layout.offset, entry[4:])
        yield layout.unpack("H", entry), layout.unpack("H", entry[2:]), length, entry[4 + width :]


def write_directory(layout: Layout, fields: Mapping[int, Field], start: int) -> bytes:
    """Return a directory for the even offset `start`, followed by its values; it is the last directory."""
    entries, values = _pack_fields(layout, fields, start + 2 + 12 * len(fields) + 4)
    return _pack_directory(layout, entries, bytes(4)) + values


def _pack_fields(layout: Layout, fields: Mapping[int, Field], values_start: int) -> tuple[dict[int, bytes], bytes]:
    """Return the entries by tag, and the values that do not fit into them, for the even offset `values_start`."""
    entries, values = {}, b""
    for tag, field in fields.items():
        place = field.value.ljust(4, b"\0")
        if len(place) > 4:  # noqa: PLR2004 - an entry itself holds as many bytes
            place = layout.pack("I", values_start + len(values))
            values += field.value + bytes(len(field.value) % 2)
        entries[tag] = layout.pack("HHI", tag, field.kind, field.length) + place
    return entries, values


def _pack_directory(layout: Layout, entries: Mapping[int, bytes], next_directory: bytes) -> bytes:
    return layout.pack("H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + next_directory


def read_rights(read: Read) -> dict[int, str]:
    """Return the texts of Artist and Copyright, of a TIFF file or an EXIF block, by tag."""
    try:
        layout, start = open_tiff(read)
    except ValueError:
        return {}
    fields = read_fields(read, layout, start, (ARTIST, COPYRIGHT))
    return {tag: text for tag, field in fields.items() if (text := field.text())}


def add_rights(body: bytes, rights: Mapping[int, str]) -> bytes:
    """Return a classic TIFF with these texts in its first directory, which is written anew at the end of the file."""
    if not rights:
        return body

    def read(start: int, size: int) -> bytes:
        return body[start : start + size]

    layout, start = open_tiff(read)
    entries = {
        tag: layout.pack("HHI", tag, kind, length) + inline
        for tag, kind, length, inline in _entries(read, layout, start)
    }
    next_directory = read(start + 2 + 12 * len(entries), 4)
    even = body + bytes(len(body) % 2)
    texts = {tag: Field.from_text(text) for tag, text in rights.items()}
    added, values = _pack_fields(layout, texts, len(even))
    directory = _pack_directory(layout, entries | added, next_directory)
    return even[:4] + layout.pack("I", len(even) + len(values)) + even[8:] + values + directory


def decode_text(value: bytes) -> str:
    """Return a text up to its terminator, as UTF-8 if it is valid up to where it was cut, otherwise as Latin-1."""
    text = value.partition(b"\0")[0]
    try:
        return text.decode().strip()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start:
            return text[: error.start].decode().strip()
        return text.decode("latin-1").strip()
