"""Limits on request bodies: how many bytes, and how slowly they may come. Pure ASGI, below everything else.

    too many       413: at once where Content-Length says so, before `100 Continue` invites the bytes; else when reached
    too slow       408: fewer bytes than the pace demands in one window of waiting
    answered early the rest of a small body is read; otherwise the connection ends with the answer

uvicorn sends `100 Continue` when the application first asks for the body, so answering before that is all it takes.
An unread body is never taken for the next request: either it is read, or the connection is closed. Before it is closed,
what still comes is discarded for a moment, because a reset connection would take the answer with it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.problems import problem
from catalog.core.api_errors import ApiError, RequestTimeout, UploadTooLarge
from proxy.core.errors import DarkroomError

MAX_JSON_BYTES: Final = 2**20
"""Largest body of a route that takes no file."""
REST_BYTES: Final = 65_536
"""Announced bodies up to this size are read to their end after an early answer, so that the connection stays."""
_REST_S = 0.5
_LINGER_S = 5.0
_SILENCE_S = 1.0
_UNINVITED_SILENCE_S = 0.2
"""A client that waits for `100 Continue` is not in the middle of sending."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The slowest body that is read: `bytes_per_s` in each `window_s` seconds of waiting for it."""

    bytes_per_s: int = 1_024
    window_s: float = 30.0


class BodyInterrupted(ApiError):
    """The connection ended before the body; nobody reads the answer."""

    status = 400
    code = "body-interrupted"
    title = "Body interrupted"

    def __init__(self) -> None:
        super().__init__("The connection ended before the body did: send the rest in another request.")


async def read_stream(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces as they come. Raise BodyInterrupted, RequestTimeout or UploadTooLarge before its end."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise BodyInterrupted from None


class BodyLimits:
    """Middleware; `max_bytes` returns the limit for a scope (path and method decide)."""

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: Callable[[Scope], int],
        pace: Pace,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._pace = pace
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with a body that ends in time and within its limit, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_bytes(scope)
        body = _LimitedBody(scope, receive, limit, self._pace, self._clock)
        answer = _Answer(body, send)
        if body.announced is not None and body.announced > limit:
            await _refuse(_too_large(limit), scope, receive, answer.send)
            return
        try:
            await self._app(scope, body.receive, answer.send)
        except (UploadTooLarge, RequestTimeout) as error:
            if answer.started:
                raise
            await _refuse(error, scope, receive, answer.send)


class _LimitedBody:
    """A `receive` that counts bytes and the time spent waiting for them."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, pace: Pace, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._limit = limit
        self._pace = pace
        self._clock = clock
        self._received = 0
        self._in_window = 0
        self._waited_s = 0.0
        self._complete = False
        fields = dict(scope["headers"])
        length = fields.get(b"content-length", b"")
        self.announced = int(length) if length.isdigit() else None
        self._chunked = b"transfer-encoding" in fields
        self._expects_invitation = fields.get(b"expect", b"").lower() == b"100-continue"

    @property
    def is_pending(self) -> bool:
        """Whether the client may still send bytes of this body."""
        return not self._complete and (self._chunked or bool(self.announced))

    async def receive(self) -> Message:
        """Return the next message. Raise UploadTooLarge or RequestTimeout."""
        if self._complete:
            return await self._receive()
        self._expects_invitation = False
        begun = self._clock()
        try:
            async with asyncio.timeout(max(0.0, self._pace.window_s - self._waited_s)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(self._pace.bytes_per_s) from None
        self._note(message, self._clock() - begun)
        if self._received > self._limit:
            raise _too_large(self._limit)
        if self._waited_s > self._pace.window_s and not self._complete:
            raise RequestTimeout(self._pace.bytes_per_s)
        return message

    async def read_rest(self) -> None:
        """Read the rest of a small body for a moment, unless that would invite it."""
        if self._expects_invitation or self._chunked or (self.announced or 0) > REST_BYTES:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_REST_S):
                await self._discard()

    async def linger(self) -> None:
        """Discard what comes until the body or the connection ends, it is silent, or for a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await self._discard()

    async def _discard(self) -> None:
        silence_s = _UNINVITED_SILENCE_S if self._expects_invitation else _SILENCE_S
        while not self._complete:
            async with asyncio.timeout(silence_s):
                self._note(await self._receive(), 0.0)

    def _note(self, message: Message, waited_s: float) -> None:
        length = len(message.get("body", b""))
        self._received += length
        self._in_window += length
        self._waited_s += waited_s
        if self._in_window >= self._pace.bytes_per_s * self._pace.window_s:
            self._in_window, self._waited_s = 0, 0.0
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)


class _Answer:
    """A `send` that ends the connection with an answer that comes before the end of its request."""

    def __init__(self, body: _LimitedBody, send: Send) -> None:
        self._body = body
        self._send = send
        self._closes = False
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            message = await self._begin(message)
        elif self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _begin(self, message: Message) -> Message:
        if self._body.is_pending:
            await self._body.read_rest()
        self._closes = self._body.is_pending
        if not self._closes:
            return message
        headers = [field for field in message.get("headers", ()) if field[0] != b"connection"]
        return {**message, "headers": [*headers, (b"connection", b"close")]}


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(f"The body is over {limit} bytes: send less, or use a resumable upload.")


async def _refuse(error: DarkroomError, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(scope.get("state", {}).get("request_id", ""))
    await problem(error, request_id)(scope, receive, send)
