"""Multipart bodies: streamed, bounded, and whole or refused."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.api.multipart import (
    MAX_FIELD_BYTES,
    MAX_PARTS,
    Event,
    FieldPart,
    FileBegin,
    FileChunk,
    FileEnd,
    read_multipart,
)
from catalog.core.api_errors import InvalidRequest

TYPE = "multipart/form-data; boundary=xx"


def part(name: str, value: bytes, extra: str = "") -> bytes:
    return f'--xx\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"


async def stream(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def read(*pieces: bytes, content_type: str = TYPE) -> list[Event]:
    """Return the events, with the chunks of a file joined."""
    events: list[Event] = []
    async for event in read_multipart(content_type, stream(pieces)):
        if isinstance(event, FileChunk) and isinstance(events[-1], FileChunk):
            events[-1] = FileChunk(events[-1].data + event.data)
        else:
            events.append(event)
    return events


async def test_what_httpx_writes_is_read() -> None:
    request = httpx.Request(
        "POST",
        "http://x",
        data={"title": "Stühle", "tags": ["a", "b"]},
        files={"file": ("stuhl é.jpg", b"\xff\xd8" * 9, "image/jpeg")},
    )
    events = await read(request.read(), content_type=request.headers["content-type"])
    assert events == [
        FieldPart("title", "Stühle"),
        FieldPart("tags", "a"),
        FieldPart("tags", "b"),
        FileBegin("file", "stuhl é.jpg", "image/jpeg"),
        FileChunk(b"\xff\xd8" * 9),
        FileEnd(),
    ]


@given(st.binary(max_size=200), st.lists(st.integers(1, 60), max_size=8))
async def test_pieces_do_not_matter(content: bytes, cuts: list[int]) -> None:
    body = part("file", content, '; filename="a.jpg"') + part("title", b"chair") + b"--xx--\r\n"
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(body[at : at + cut])
        at += cut
    events = await read(*pieces, body[at:])
    expected = [FileChunk(content)] if content else []
    assert events == [FileBegin("file", "a.jpg", None), *expected, FileEnd(), FieldPart("title", "chair")]


@pytest.mark.parametrize(
    ("content_type", "body", "sentence"),
    [
        ("application/json", b"{}", "multipart/form-data"),
        ("multipart/form-data", b"", "no valid boundary"),
        (f"multipart/form-data; boundary={'x' * 71}", b"", "no valid boundary"),
        (TYPE, b"", "ends early"),
        (TYPE, part("a", b"b"), "ends early"),
        (TYPE, part("a", b"b")[:-5], "ends early"),
        (TYPE, b"nonsense", "malformed"),
        (TYPE, b"--xx\r\nContent-Disposition: form-data\r\n\r\nb\r\n--xx--\r\n", "no valid name"),
        (TYPE, part("n" * 101, b"b") + b"--xx--\r\n", "no valid name"),
        (TYPE, part("a", b"\xff\xfe") + b"--xx--\r\n", "not UTF-8"),
        (TYPE, part("a", b"x" * (MAX_FIELD_BYTES + 1)) + b"--xx--\r\n", "more than 65536 bytes"),
        (TYPE, part("a", b"b") * (MAX_PARTS + 1) + b"--xx--\r\n", "more than 1000 parts"),
        (TYPE, b"--xx\r\n" + b"A: b\r\n" * 20 + b"\r\nb\r\n--xx--\r\n", "malformed"),
        (TYPE, b"--xx\r\nA: " + b"b" * 100_000, "malformed"),
    ],
)
async def test_what_is_refused(content_type: str, body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        await read(body, content_type=content_type)


@given(st.binary(max_size=300))
async def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for content in (body, b"--xx\r\n" + body, part("file", body, '; filename="\0\r.jpg"')):
        try:
            await read(content)
        except InvalidRequest as error:
            assert error.status == 400
