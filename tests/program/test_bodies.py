"""Bodies of requests to the API, over a socket: not invited, cut off, too slow, and never taken for a request."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.catalog.images.pictures import picture
from tests.program.server import Home, Server, serving
from tests.program.test_management import token_of

WINDOW_S = "0.6"
UPLOAD = b"Content-Type: multipart/form-data; boundary=xx\r\n"
PART = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
EVIL = b"DELETE /api/collections/1 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def strict(home: Home) -> Iterator[Server]:
    """Return a server that waits for bodies less than a second."""
    with serving(home, DARKROOM_BODY_WINDOW_S=WINDOW_S) as server:
        yield server


@pytest.fixture(scope="module")
def editor(home: Home) -> bytes:
    """Return the Authorization field of an editor."""
    return b"Authorization: Bearer " + token_of(home, "editor").encode() + b"\r\n"


def head(line: bytes, *fields: bytes) -> bytes:
    return line + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(fields) + b"\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


def length(count: int) -> bytes:
    return b"Content-Length: %d\r\n" % count


def assert_leaves_nothing(home: Home, server: Server, act: Callable[[], None]) -> None:
    """Assert that what is done again opens no descriptor that stays, and stores no original."""
    server.http.get("/healthz")
    folder = Path(f"/proc/{server.process.pid}/fd")
    counts = []
    for _ in range(2):
        act()
        counts.append(len(list(folder.iterdir())))
    server.wait_until(lambda: len(list(folder.iterdir())) <= counts[0])
    assert [path for path in (home.folder / "originals").rglob("*") if path.is_file()] == []


EXPECT, BIG, JSON = b"Expect: 100-continue\r\n", length(40_000_000), b"Content-Type: application/json\r\n"
MINE = b"(token)"


@pytest.mark.parametrize(
    ("line", "fields", "status"),
    [
        (b"POST /api/images/upload", [MINE, UPLOAD, length(10**12)], 413),
        (b"POST /api/collections", [MINE, JSON, length(2**20 + 1)], 413),
        (b"GET /api/collections", [MINE, length(2**20 + 1)], 413),
        (b"POST /api/images/upload", [UPLOAD, length(1_000)], 401),
        (b"POST /api/images/upload", [UPLOAD, BIG], 401),
        (b"POST /api/images/upload", [b"Authorization: Bearer wrong\r\n", UPLOAD, BIG], 401),
        (b"POST /api/collections", [b"Authorization: Bearer wrong\r\n", JSON, length(10)], 401),
        (b"POST /api/tokens", [MINE, JSON, length(10)], 403),
        (b"POST /api/tokens", [MINE, JSON, b"Transfer-Encoding: chunked\r\n"], 403),
        (b"POST /api/nothing", [MINE, JSON, length(10)], 404),
        (b"PATCH /api/collections", [MINE, JSON, length(10)], 405),
        (b"POST /api/images/upload", [MINE, JSON, length(10)], 400),
        (b"POST /api/collections?surprise=1", [MINE, JSON, length(10)], 422),
    ],
)
def test_a_body_is_not_invited_where_the_answer_is_known(
    server: Server, editor: bytes, line: bytes, fields: list[bytes], status: int
) -> None:
    answer = server.raw(head(line, EXPECT, *(editor if field == MINE else field for field in fields)))
    assert statuses(answer) == [status], answer
    assert b"\r\nconnection: close\r\n" in answer
    assert b"application/problem+json" in answer


def test_a_body_is_invited_where_it_is_read(server: Server, editor: bytes) -> None:
    body = b'{"name": "Summer"}'
    with server.connect(head(b"POST /api/collections", editor, EXPECT, JSON, length(len(body)))) as connection:
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("fields", [[length(len(EVIL))], [EXPECT, length(len(EVIL))], [length(len(EVIL) + 100_000)]])
def test_the_body_of_a_refused_request_is_no_request(server: Server, fields: list[bytes]) -> None:
    answer = server.raw(head(b"POST /api/collections", JSON, *fields) + EVIL)
    assert statuses(answer) == [401], answer


def test_after_a_small_body_that_was_refused_the_connection_goes_on(server: Server) -> None:
    refused = head(b"POST /api/collections", JSON, length(len(EVIL))) + EVIL
    answer = server.raw(refused + head(b"GET /api", b"Connection: close\r\n"))
    assert statuses(answer) == [401, 200]


def test_an_early_answer_reaches_a_client_that_is_still_sending(server: Server) -> None:
    """Closing at once would reset the connection, and the client would lose the answer."""
    with server.connect(head(b"POST /api/images/upload", UPLOAD, length(40_000_000))) as connection:
        for _ in range(100):
            connection.sendall(b"x" * 400_000)
        assert statuses(connection.recv(4_000)) == [401]


@pytest.mark.parametrize(
    ("request_head", "begun"),
    [
        ([b"POST /api/images/upload", UPLOAD, length(5_000_000)], PART + b"\xff\xd8\xff" * 100),
        ([b"POST /api/images/upload", UPLOAD, b"Transfer-Encoding: chunked\r\n"], b"4\r\n--xx\r\n"),
        ([b"POST /api/collections", JSON, length(50)], b'{"name": "'),
        ([b"POST /api/collections", JSON, length(50), b"Idempotency-Key: 1\r\n"], b'{"name": "'),
        ([b"POST /api/collections", JSON, length(50)], b""),
    ],
)
def test_a_slow_body_is_cut(home: Home, strict: Server, editor: bytes, request_head: list[bytes], begun: bytes) -> None:
    def act() -> None:
        line, *fields = request_head
        with strict.connect(head(line, editor, *fields) + begun) as connection:
            answer = b""
            while chunk := connection.recv(4_000):
                answer += chunk
        assert statuses(answer) == [408], answer
        assert b'"code": "request-timeout"' in answer
        assert b"\r\nconnection: close\r\n" in answer

    assert_leaves_nothing(home, strict, act)


def test_a_body_that_drips_is_cut(home: Home, strict: Server, editor: bytes) -> None:
    def act() -> None:
        with strict.connect(head(b"POST /api/images/upload", editor, UPLOAD, length(5_000_000)) + PART) as connection:
            connection.settimeout(0.05)
            answer = b""
            while not answer.endswith(b"}"):
                try:
                    connection.sendall(b"x")
                    answer += connection.recv(4_000)
                except TimeoutError:
                    continue
        assert statuses(answer) == [408], answer

    assert_leaves_nothing(home, strict, act)


def test_a_cut_connection_leaves_nothing(home: Home, server: Server, editor: bytes) -> None:
    body = PART + picture() + b"\r\n--xx--\r\n"

    def act() -> None:
        for end in (0, 10, len(PART), len(PART) + 300, len(body) - 1):
            request = head(b"POST /api/images/upload", editor, UPLOAD, length(len(body))) + body[:end]
            server.connect(request).close()
            with server.connect(request) as connection:
                connection.shutdown(socket.SHUT_WR)

    assert_leaves_nothing(home, server, act)
    authorization = editor.decode().partition(": ")[2].strip()
    assert server.get("/api/images", authorization=authorization).json()["items"] == []
    assert not any("request failed" in line or "Traceback" in line for line in server.lines)
