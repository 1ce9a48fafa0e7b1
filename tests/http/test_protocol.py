"""The protocol over sockets, through uvicorn: the fast path, what must not take it, and requests that are not HTTP."""

import asyncio
import inspect
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from proxy.http.problem import Headers
from proxy.http.protocol import MAX_HEAD_BYTES, FastPathProtocol

_WAIT_S = 20.0
_GET = b"GET /held HTTP/1.1\r\nHost: here\r\n\r\n"
_FROM_MEMORY = b"short"
_THROUGH_ASGI = b"long"


@dataclass
class App:
    """Has `/held` in memory; answers every ASGI call, and records which way each request came."""

    fast: list[bytes] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    unparsable: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """ASGI calls are answered once it is set."""

    def respond_from_memory(self, target: bytes, _: Headers) -> tuple[int, bytes, bytes] | None:
        self.fast.append(target)
        return (200, b"content-length: 5\r\n", _FROM_MEMORY) if target == b"/held" else None

    def note_unparsable(self, request_id: str, sent_bytes: int) -> None:
        self.unparsable.append(request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called.append(scope["method"] + scope["path"])
        await self.open.wait()
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _THROUGH_ASGI})


Exchange = Callable[[list[bytes], int], Awaitable[list[bytes]]]
"""Send pieces on one new connection, with time to be read between them; return the bodies that come back."""


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[tuple[App, int]]:
    """Give an application behind uvicorn, and its port."""
    app = App()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=FastPathProtocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        yield app, listening.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.fixture
def app(running: tuple[App, int]) -> Iterator[App]:
    app = running[0]
    app.fast, app.called, app.unparsable = [], [], []
    app.open.set()
    yield app
    app.open.set()


@pytest.fixture
def exchange(running: tuple[App, int]) -> Exchange:
    async def exchange(pieces: list[bytes], answers: int) -> list[bytes]:
        async with asyncio.timeout(_WAIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", running[1])
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)
            bodies = [await _body(reader) for _ in range(answers)]
            writer.close()
            await writer.wait_closed()
            return bodies

    return exchange


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 ")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length[15:]))


async def _receive_all(port: int, sent: bytes) -> bytes:
    """Send bytes and read until the server closes the connection."""
    async with asyncio.timeout(_WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        return received


async def test_what_is_in_memory_is_answered_without_a_call(app: App, exchange: Exchange) -> None:
    assert await exchange([_GET, _GET, _GET], 3) == [_FROM_MEMORY] * 3
    assert app.called == []


async def test_what_is_not_in_memory_is_called_for(app: App, exchange: Exchange) -> None:
    assert await exchange([_GET.replace(b"held", b"other"), _GET], 2) == [_THROUGH_ASGI, _FROM_MEMORY]
    assert app.called == ["GET/other"]


@pytest.mark.parametrize("cut", [1, 4, 20, len(_GET) - 2])
async def test_a_head_in_two_pieces_is_called_for_and_the_next_one_is_not(
    app: App, exchange: Exchange, cut: int
) -> None:
    assert await exchange([_GET[:cut], _GET[cut:], _GET], 2) == [_THROUGH_ASGI, _FROM_MEMORY]
    assert app.fast == [b"/held"]


async def test_pipelined_requests_in_one_piece_are_answered_in_their_order(app: App, exchange: Exchange) -> None:
    other = _GET.replace(b"held", b"other")
    assert len(await exchange([_GET + other + _GET, _GET], 4)) == 4
    assert app.called == ["GET/held", "GET/other", "GET/held"]


async def test_half_a_request_behind_a_whole_one_is_not_lost(app: App, exchange: Exchange) -> None:
    assert len(await exchange([_GET + _GET[:9], _GET[9:]], 2)) == 2


@pytest.mark.parametrize(
    "request_bytes",
    [
        _GET.replace(b"GET", b"HEAD").replace(b"/held", b"/head"),
        _GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
        _GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nnine more"),
        _GET.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        _GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        _GET.replace(b"1.1", b"1.0"),
        _GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
        _GET.replace(b"here", b"h" * MAX_HEAD_BYTES),
        b"GET /held HTTP/1.1\r\n\r\n",
        _GET.replace(b"\r\n\r\n", b"\r\nHost: here\r\n\r\n"),
        _GET.replace(b"\r\n\r\n", b"\r\nHOST: there\r\n\r\n"),
    ],
    ids=[
        "HEAD",
        "POST",
        "body",
        "chunks",
        "close",
        "HTTP/1.0",
        "upgrade",
        "long",
        "no Host",
        "Host twice",
        "two Hosts",
    ],
)
async def test_all_but_a_plain_get_with_one_host_are_called_for(
    app: App, exchange: Exchange, request_bytes: bytes
) -> None:
    await exchange([request_bytes], 0)
    assert (app.fast, len(app.called)) == ([], 1)


@pytest.mark.parametrize("behind", [b"GET /held HTTP/1.1\r\n\r\n", b"GET /held\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_a_head_that_ends_in_bare_line_feeds_hides_nothing_behind_it(
    app: App, exchange: Exchange, behind: bytes
) -> None:
    await exchange([b"GET /held HTTP/1.1\nHost: here\n\n" + behind], 0)
    assert app.fast == []


async def test_a_body_is_never_read_as_the_next_request(app: App, exchange: Exchange) -> None:
    smuggling = _GET.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(_GET)) + _GET
    assert await exchange([smuggling, _GET], 2) == [_THROUGH_ASGI, _FROM_MEMORY]
    assert (app.fast, app.called) == ([b"/held"], ["GET/held"])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET /held HTTP/1.1\r\nHost : here\r\n\r\n",
        b"GET /held HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /held HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_problem_document_and_reaches_nothing(
    app: App, running: tuple[App, int], nonsense: bytes
) -> None:
    head, _, body = (await _receive_all(running[1], nonsense)).partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert status_line == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    document = json.loads(body)
    assert (document["status"], document["code"]) == (400, "malformed")
    assert [document["request"], headers["x-request-id"]] == app.unparsable * 2
    assert (app.fast, app.called) == ([], [])


async def test_a_request_that_is_being_answered_keeps_its_response_when_nonsense_follows(
    app: App, running: tuple[App, int]
) -> None:
    """A 400 written at once would be taken for the response to the first request."""
    app.open.clear()
    receiving = asyncio.create_task(_receive_all(running[1], _GET.replace(b"held", b"other") + b"\0nonsense\r\n\r\n"))
    while not app.called:  # noqa: ASYNC110 - a list sets no event
        await asyncio.sleep(0.01)
    app.open.set()
    received = await receiving
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n" + _THROUGH_ASGI)
    assert received.count(b"HTTP/1.1 ") == 1


async def test_a_body_that_is_broken_ends_the_request(app: App, running: tuple[App, int]) -> None:
    app.open.clear()
    broken = _GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nnot a size")
    received = await _receive_all(running[1], broken)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_uvicorn_is_a_version_whose_internals_were_tried() -> None:
    """None of these names is a public interface: read `protocol.py` before the upper bound is raised."""
    requirement = re.search(r'"uvicorn\[standard\]>=([\d.]+),<([\d.]+)"', Path("pyproject.toml").read_text())
    assert requirement is not None
    lowest, beyond, installed = (
        tuple(map(int, text.split(".")[:2])) for text in (requirement[1], requirement[2], version("uvicorn"))
    )
    assert beyond == (0, 55)
    assert lowest <= installed < beyond
    protocol = httptools_impl.HttpToolsProtocol
    assert list(inspect.signature(protocol.send_400_response).parameters) == ["self", "msg"]
    for name in ("data_received", "on_message_begin", "on_message_complete", "on_response_complete"):
        assert callable(getattr(protocol, name))
    assert callable(protocol._unset_keepalive_if_required)
    assert httptools_impl.STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
    assert ServerState().default_headers == []
    assert inspect.signature(FlowControl).parameters.keys() == {"transport"}
    source = inspect.getsource(httptools_impl)
    for use in ("self.flow = FlowControl", "write_paused", "self.cycle = RequestResponseCycle", "self.pipeline: deque"):
        assert use in source
    for attribute in ("keep_alive", "more_body", "response_started", "response_complete"):
        assert f"self.{attribute} = " in source
