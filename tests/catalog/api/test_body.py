"""Limits of request bodies: bytes and time, on a clock that the test turns."""

import asyncio
import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from catalog.api.body import GRACE_S, BodyLimits


class Client:
    """One request whose body comes in pieces, and what is answered."""

    def __init__(self, pieces: list[bytes], headers: dict[str, str] | None = None) -> None:
        self.pieces = pieces
        self.sent: list[Message] = []
        self.asked = 0
        self.scope: Scope = {
            "type": "http",
            "path": "/x",
            "state": {"request_id": "1"},
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }

    async def receive(self) -> Message:
        self.asked += 1
        if not self.pieces:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, message: Message) -> None:
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


async def ask(client: Client, clock: list[float] | None = None) -> Client:
    ticks = iter(clock or [])
    await BodyLimits(reading, lambda _: 10, lambda: next(ticks, 0.0))(client.scope, client.receive, client.send)
    return client


async def test_a_body_within_its_limit_is_read() -> None:
    client = await ask(Client([b"12345", b"67890"]))
    assert (client.status, client.sent[1]["body"]) == (200, b"10")


async def test_an_announced_body_over_the_limit_is_refused_before_a_byte_is_asked_for() -> None:
    """So `Expect: 100-continue` gets no `100 Continue`."""
    client = await ask(Client([b"x"], {"content-length": "11", "expect": "100-continue"}))
    assert (client.status, client.asked, client.problem["code"]) == (413, 0, "too-large")


async def test_a_body_that_grows_over_the_limit_is_refused_on_the_way() -> None:
    client = await ask(Client([b"123456", b"123456", b"never"]))
    assert (client.status, client.asked) == (413, 2)


async def test_a_body_that_comes_too_slowly_is_cut() -> None:
    """The grace is over and too few bytes have come: the next wait has no time left."""
    slow = Client([b"1"])

    async def receive() -> Message:
        if slow.pieces:
            return {"type": "http.request", "body": slow.pieces.pop(), "more_body": True}
        return await asyncio.Event().wait()  # type: ignore[return-value]

    ticks = iter([0.0, 0.0, GRACE_S + 1.0])
    await BodyLimits(reading, lambda _: 10, lambda: next(ticks))(slow.scope, receive, slow.send)
    assert (slow.status, slow.problem["code"]) == (408, "request-timeout")
    assert (b"connection", b"close") in slow.sent[0]["headers"]


@pytest.mark.parametrize("length", ["x", "-1", "1e9", ""])
async def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    assert (await ask(Client([b"12345"], {"content-length": length}))).status == 200
