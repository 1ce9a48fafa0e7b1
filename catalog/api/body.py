"""Limits on request bodies: how many bytes, and how slowly they may come. Pure ASGI, below everything else.

    too many    413: at once where Content-Length says so, before `100 Continue` invites the bytes; else when reached
    too slow    408 and the connection is closed: slower than 1 KB/s over 30 s

uvicorn sends `100 Continue` when the application first asks for the body, so refusing before that is all it takes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.problems import problem
from catalog.core.api_errors import ApiError, UploadTooLarge

MAX_JSON_BYTES = 2**20
"""Largest body of a route that takes no file."""
SLOWEST_BYTES_PER_S = 1_024
GRACE_S = 30.0


class RequestTimeout(ApiError):
    """The body came too slowly."""

    status = 408
    code = "request-timeout"
    title = "Request timeout"

    def __init__(self) -> None:
        super().__init__(f"The body came slower than {SLOWEST_BYTES_PER_S} bytes a second: use a resumable upload.")


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

    def __init__(self, app: ASGIApp, max_bytes: Callable[[Scope], int], clock: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with a body that ends in time and within its limit, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_bytes(scope)
        if (announced := _content_length(scope)) is not None and announced > limit:
            await _refuse(_too_large(limit), scope, receive, send)
            return
        body = _LimitedBody(receive, limit, self._clock)
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, body.receive, send_noting)
        except (UploadTooLarge, RequestTimeout) as error:
            if started:
                raise
            await _refuse(error, scope, receive, send)


class _LimitedBody:
    """A `receive` that counts bytes and time."""

    def __init__(self, receive: Receive, limit: int, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._limit = limit
        self._clock = clock
        self._begun: float | None = None
        """When the application first asked for the body: before that, the client is waiting."""
        self._received = 0
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message. Raise UploadTooLarge or RequestTimeout."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._remaining_s()):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._received > self._limit:
                raise _too_large(self._limit)
        return message

    def _remaining_s(self) -> float:
        """Return how long the next bytes may take so that the mean rate stays high enough."""
        if self._begun is None:
            self._begun = self._clock()
        elapsed = self._clock() - self._begun
        return max(0.0, GRACE_S + self._received / SLOWEST_BYTES_PER_S - elapsed)


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(f"The body is over {limit} bytes: send less, or use a resumable upload.")


def _content_length(scope: Scope) -> int | None:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if values and values[0].isdigit() else None


async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(scope.get("state", {}).get("request_id", ""))
    response = problem(error, request_id, {"connection": "close"})
    await response(scope, receive, send)
