"""The loop of a worker, without its sandbox: every request is answered, whatever the decoders report."""

import socket
import struct
import threading
import zlib
from collections.abc import Iterator

import pytest
import pyvips

from proxy.core.errors import CorruptImage
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PNG as PNG_FORMAT
from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels import source, worker
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.workers import framing, messages
from tests.pictures import opened, quadrants

PNG = quadrants()
UNDECODABLE = UnicodeDecodeError("utf-8", b"bad chunk \xe9", 10, 11, "invalid continuation byte")


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """Insert a chunk after IHDR."""
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:33] + chunk + png[33:]


@pytest.fixture
def server_socket() -> Iterator[socket.socket]:
    """Run the loop in a thread; it ends when the socket is closed."""
    server_end, worker_end = socket.socketpair()
    server_end.settimeout(30)
    with worker_end:
        thread = threading.Thread(target=worker.serve, args=(worker_end, 2**20))
        thread.start()
        with server_end:
            yield server_end
        thread.join()


def answer(server_socket: socket.socket, body: bytes, request: bytes) -> dict[str, object]:
    """Send one request and return the header of its answer."""
    with opened(body) as fd:
        socket.send_fds(server_socket, [request], [fd])
        message = framing.receive_request(server_socket)
    assert message is not None
    return message[0]


def test_a_message_that_is_not_utf_8_is_a_refusal(
    server_socket: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pyvips decodes libvips' messages as UTF-8 when it builds its exception, and fails at some of them."""

    def undecodable(*_: object) -> object:
        raise UNDECODABLE

    monkeypatch.setattr("pyvips.error._to_string", undecodable)
    request = messages.render_request(resolve_plan(parse("w8-png"), Facts(PNG_FORMAT, 96, 64)))
    refused = answer(server_socket, PNG[:-60], request)
    assert refused["refused"] == "damaged"
    monkeypatch.undo()
    assert "facts" in answer(server_socket, PNG, messages.probe_request(0))


@pytest.mark.parametrize("function", ["proxy.pixels.probe.open_image", "proxy.pixels.worker.probe.probe"])
def test_a_name_that_is_not_utf_8_is_a_refusal(
    server_socket: socket.socket, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def undecodable(*_: object) -> object:
        raise UNDECODABLE

    monkeypatch.setattr(function, undecodable)
    assert answer(server_socket, PNG, messages.probe_request(0))["refused"] == "damaged"
    monkeypatch.undo()
    assert "facts" in answer(server_socket, PNG, messages.probe_request(0))


@pytest.mark.parametrize("recipe", ["w8-png", "w8-keep-jpeg"])
def test_a_keyword_of_a_png_may_be_latin_1(recipe: str) -> None:
    """It is part of the name of a libvips field, and valid (W3C PNG §11.3.3.2)."""
    body = with_chunk(PNG, b"tEXt", b"Titr\xe9\0sec\xe8te")
    with pytest.raises(UnicodeDecodeError):
        pyvips.Image.new_from_buffer(body, "").get_fields()
    with opened(body) as fd:
        derivative = render(fd, resolve_plan(parse(recipe), probe(fd)))
    assert derivative.width == 8
    assert b"sec" not in derivative.body


def test_a_refusal_quotes_no_control_characters() -> None:
    refusal = source.to_refusal(pyvips.Error("x", detail="a\x1b[31m\xe9<b>\n" + "c" * 500))
    assert isinstance(refusal, CorruptImage)
    assert refusal.detail == "The original does not decode: a[31mb " + "c" * 113
