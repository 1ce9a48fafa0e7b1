"""Limits of request bodies: bytes and time, on a clock that the test turns."""

import asyncio
import json

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.body import BodyLimits, Pace


class Client:
    """One request whose body comes in pieces, each after `seconds` of the clock, and what is answered."""

    def __init__(self, pieces: list[bytes], headers: dict[str, str] | None = None, seconds: float = 0.0) -> None:
        self.pieces = pieces
        self.sent: list[Message] = []
        self.asked = self.asked_before_answer = 0
        self.now = 0.0
        self.seconds = seconds
        self.scope: Scope = {
            "type": "http",
            "path": "/x",
            "state": {"request_id": "1"},
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }

    async def receive(self) -> Message:
        self.asked += 1
        self.now += self.seconds
        if not self.pieces:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, message: Message) -> None:
        if not self.sent:
            self.asked_before_answer = self.asked
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def problem(self) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.sent[1]["body"])
        return document


async def reading(_: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, then answer with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


async def ask(client: Client, application: ASGIApp = reading, limit: int = 10) -> Client:
    await BodyLimits(application, lambda _: limit, Pace(), lambda: client.now)(
        client.scope, client.receive, client.send
    )
    return client


async def test_a_body_within_its_limit_is_read() -> None:
    client = await ask(Client([b"12345", b"67890"]))
    assert (client.status, client.sent[1]["body"]) == (200, b"10")


async def test_an_announced_body_over_the_limit_is_refused_before_a_byte_is_asked_for() -> None:
    """So `Expect: 100-continue` gets no `100 Continue`."""
    client = await ask(Client([b"x"], {"content-length": "11", "expect": "100-continue"}))
    assert (client.status, client.problem["code"]) == (413, "too-large")
    assert client.asked_before_answer == 0


async def test_a_body_that_grows_over_the_limit_is_refused_on_the_way() -> None:
    client = await ask(Client([b"123456", b"123456", b"never"]))
    assert (client.status, client.asked) == (413, 2)


async def test_a_body_that_comes_too_slowly_is_cut() -> None:
    """The window is over and too few bytes have come: the next wait has no time left."""
    client = await ask(Client([b"x"] * 9, {"transfer-encoding": "chunked"}, seconds=8.0))
    assert (client.status, client.problem["code"], client.asked_before_answer) == (408, "request-timeout", 4)
    assert (b"connection", b"close") in client.sent[0]["headers"]


async def test_bytes_that_came_quickly_earn_no_right_to_stall() -> None:
    client = await ask(Client([b"x" * 2**20, *[b"x"] * 9], {"content-length": str(2**21)}, seconds=8.0), limit=2**21)
    assert (client.status, client.asked_before_answer) == (408, 5)


async def test_a_body_at_the_pace_is_read_however_long_it_takes() -> None:
    pieces = [b"x" * 8_192] * 50
    client = await ask(Client(pieces, {"content-length": str(8_192 * 50)}, seconds=7.9), limit=2**20)
    assert (client.status, client.sent[1]["body"]) == (200, b"409600")


async def test_the_time_of_the_application_is_not_the_clients() -> None:
    client = Client([b"1", b"2", b"3"], {"content-length": "3"})

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        async def slowly() -> Message:
            message = await receive()
            client.now += 3_600.0
            return message

        await reading(scope, slowly, send)

    assert (await ask(client, busy)).status == 200


async def refusing(_: Scope, __: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


async def test_the_rest_of_a_small_body_is_read_after_an_early_answer() -> None:
    client = await ask(Client([b"1", b"2", b"3"], {"content-length": "3"}), refusing)
    assert client.pieces == []
    assert [field for field in client.sent[0]["headers"] if field[0] == b"connection"] == []
    assert len(client.sent) == 2


@pytest.mark.parametrize(
    "headers",
    [{"content-length": "100000"}, {"transfer-encoding": "chunked"}, {"content-length": "3", "expect": "100-Continue"}],
)
async def test_an_early_answer_to_another_body_ends_the_connection(headers: dict[str, str]) -> None:
    """The answer is sent whole, then what comes is discarded until the body ends, and then the answer ends."""
    client = Client([b"1", b"2", b"3"], headers)
    asked: list[tuple[str, int]] = []
    send = client.send

    async def send_noting(message: Message) -> None:
        asked.append((message["type"], client.asked))
        await send(message)

    client.send = send_noting  # type: ignore[method-assign]
    await ask(client, refusing, limit=2**20)
    assert (b"connection", b"close") in client.sent[0]["headers"]
    assert asked == [("http.response.start", 0), ("http.response.body", 0), ("http.response.body", 3)]
    assert [message.get("more_body", False) for message in client.sent[1:]] == [True, False]


@pytest.mark.parametrize("length", ["x", "-1", "1e9", ""])
async def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    assert (await ask(Client([b"12345"], {"content-length": length}))).status == 200
