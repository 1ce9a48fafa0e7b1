"""Multipart bodies (RFC 7578), as a stream of events: a file is never whole in memory.

    FieldPart            a field with its value, at most MAX_FIELD_BYTES
    FileBegin            a file's name and declared type
    FileChunk …          its bytes, in pieces as they come
    FileEnd

The parser is python-multipart's, which reads byte by byte and is not recursive. Everything that it does not bound is
bounded here: parts, fields, names.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from catalog.core.api_errors import InvalidRequest

MAX_PARTS = 1_000
MAX_FIELD_BYTES = 65_536
MAX_FIELDS_BYTES = 262_144
MAX_NAME_LENGTH = 100
MAX_FILE_NAME_LENGTH = 1_000
_MAX_BOUNDARY = 70
"""RFC 2046 §5.1.1."""


@dataclass(frozen=True, slots=True)
class FieldPart:
    """A field and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegin:
    """The beginning of a file; its name and type are the client's, and not to be believed."""

    name: str
    file_name: str
    media_type: str | None


@dataclass(frozen=True, slots=True)
class FileChunk:
    """Bytes of the file that has begun."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The end of the file."""


Event: TypeAlias = FieldPart | FileBegin | FileChunk | FileEnd


async def read_multipart(content_type: str, body: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield the events of a body. Raise InvalidRequest when it is not whole, well-formed and within its bounds."""
    parser = _Parser(_boundary(content_type))
    async for chunk in body:
        for event in parser.feed(chunk):
            yield event
    parser.finish()


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type[:1_000]
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/form-data":
        raise InvalidRequest("Send the file as multipart/form-data, in the field `file`.")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= _MAX_BOUNDARY or not boundary.isascii():
        raise InvalidRequest("The Content-Type has no valid boundary: let your HTTP client write this field.")
    return boundary.encode()


class _Parser:
    """Turns bytes into events."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[Event] = []
        self._headers: dict[str, str] = {}
        self._header_name = self._header_value = b""
        self._field_name: str | None = None
        self._value = bytearray()
        self._parts = self._fields_bytes = 0
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that a piece of the body completes."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise InvalidRequest("The multipart body is malformed: let your HTTP client write it.") from None
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """Check that the body is whole."""
        if not self._complete:
            raise InvalidRequest("The multipart body ends early: send all of it.")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The body has more than {MAX_PARTS} parts: send fewer.")
        self._headers = {}
        self._field_name = None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = _decoded(self._header_value)
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        disposition = Message()
        disposition["content-disposition"] = self._headers.get("content-disposition", "")
        name = disposition.get_param("name", header="content-disposition")
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
            raise InvalidRequest("A part of the body has no valid name: let your HTTP client write it.")
        file_name = disposition.get_filename()
        if file_name is None:
            self._field_name, self._value = name, bytearray()
        else:
            media_type = self._headers.get("content-type")
            self._events.append(FileBegin(name, file_name[:MAX_FILE_NAME_LENGTH], media_type))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field_name is None:
            self._events.append(FileChunk(data[start:end]))
            return
        self._value += data[start:end]
        self._fields_bytes += end - start
        if len(self._value) > MAX_FIELD_BYTES or self._fields_bytes > MAX_FIELDS_BYTES:
            raise InvalidRequest(f"A field has more than {MAX_FIELD_BYTES} bytes: shorten it.")

    def _on_part_end(self) -> None:
        if self._field_name is None:
            self._events.append(FileEnd())
            return
        try:
            self._events.append(FieldPart(self._field_name, self._value.decode()))
        except UnicodeDecodeError:
            raise InvalidRequest(f"The field {self._field_name!r:.40} is not UTF-8.") from None

    def _on_end(self) -> None:
        self._complete = True


def _decoded(value: bytes) -> str:
    """Browsers send names as UTF-8 (RFC 7578 §5.1), older clients as Latin-1. Control characters are dropped."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return "".join(character for character in text if character >= " ")
