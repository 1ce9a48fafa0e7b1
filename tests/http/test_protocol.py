"""The short way from a connection to an answer, and what must not take it; over sockets, through uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from proxy.http.problem import Headers
from proxy.http.protocol import MAX_HEAD_BYTES, FastPathProtocol

_WAIT_S = 20.0
_GET = b"GET /held HTTP/1.1\r\nHost: here\r\n\r\n"
_HELD = b"short"
_CALLED = b"long"


@dataclass
class App:
    """Has `/held` at hand; answers every call, `/held` among them, and notes who came which way."""

    short: list[bytes] = field(default_factory=list)
    long: list[str] = field(default_factory=list)
    unparsable: list[str] = field(default_factory=list)

    def respond_from_memory(self, target: bytes, _: Headers) -> tuple[int, bytes, bytes] | None:
        self.short.append(target)
        return (200, b"content-length: 5\r\n", _HELD) if target == b"/held" else None

    def note_unparsable(self, request_id: str, sent_bytes: int) -> None:
        self.unparsable.append(request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.long.append(scope["method"] + scope["path"])
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _CALLED})


Say = Callable[[list[bytes], int], Awaitable[list[bytes]]]
"""Send pieces on one new connection, with time to be read between them; give the bodies that come back."""


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def say(app: App) -> AsyncIterator[Say]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=FastPathProtocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        port = listening.getsockname()[1]

        async def say(pieces: list[bytes], answers: int) -> list[bytes]:
            async with asyncio.timeout(_WAIT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.05)
                bodies = [await _body(reader) for _ in range(answers)]
                writer.close()
                await writer.wait_closed()
                return bodies

        yield say
        server.should_exit = True
        await serving


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 ")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length[15:]))


async def test_what_is_at_hand_is_answered_without_a_call(app: App, say: Say) -> None:
    assert await say([_GET, _GET, _GET], 3) == [_HELD] * 3
    assert app.long == []


async def test_what_is_not_at_hand_is_called_for(app: App, say: Say) -> None:
    assert await say([_GET.replace(b"held", b"other"), _GET], 2) == [_CALLED, _HELD]
    assert app.long == ["GET/other"]


@pytest.mark.parametrize("cut", [1, 4, 20, len(_GET) - 2])
async def test_a_head_in_two_pieces_goes_the_usual_way_and_the_next_one_the_short(app: App, say: Say, cut: int) -> None:
    assert await say([_GET[:cut], _GET[cut:], _GET], 2) == [_CALLED, _HELD]
    assert app.short == [b"/held"]


async def test_a_line_of_requests_in_one_piece_is_answered_in_its_order(app: App, say: Say) -> None:
    other = _GET.replace(b"held", b"other")
    assert len(await say([_GET + other + _GET, _GET], 4)) == 4
    assert app.long == ["GET/held", "GET/other", "GET/held"]


async def test_half_a_request_behind_a_whole_one_is_not_lost(app: App, say: Say) -> None:
    assert len(await say([_GET + _GET[:9], _GET[9:]], 2)) == 2


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
    ],
    ids=["HEAD", "POST", "body", "chunks", "close", "HTTP/1.0", "upgrade", "long"],
)
async def test_all_but_a_plain_get_go_the_usual_way(app: App, say: Say, request_bytes: bytes) -> None:
    await say([request_bytes], 0)
    assert (app.short, len(app.long)) == ([], 1)


@pytest.mark.parametrize("behind", [b"GET /held HTTP/1.1\r\n\r\n", b"GET /held\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_a_head_that_ends_in_bare_line_feeds_hides_nothing_behind_it(app: App, say: Say, behind: bytes) -> None:
    await say([b"GET /held HTTP/1.1\nHost: here\n\n" + behind], 0)
    assert app.short == []


async def test_a_body_is_never_read_as_the_next_request(app: App, say: Say) -> None:
    smuggling = _GET.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(_GET)) + _GET
    assert await say([smuggling, _GET], 2) == [_CALLED, _HELD]
    assert (app.short, app.long) == ([b"/held"], ["GET/held"])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET /held HTTP/1.1\r\nHost : here\r\n\r\n",
        b"GET /held HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /held HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_reaches_nobody(app: App, say: Say, nonsense: bytes) -> None:
    await say([nonsense], 1)
    assert (app.short, app.long) == ([], [])
