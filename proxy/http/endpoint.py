"""HTTP in and out: one ASGI callable for everything below `/t/`.

The order of checks is the contract's: method → length → shape of path and query → seal → recipe → tenant's rules → 304
→ caches → limits → capacity → deadline. Nothing is routed or decoded: the raw path is what was sealed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from random import getrandbits
from time import perf_counter
from typing import Any, TypeVar

import structlog
from starlette.types import Receive, Scope, Send

from proxy.core.caching import matches
from proxy.core.errors import DarkroomError, InternalError, MethodNotAllowed
from proxy.delivery.image_request import ImageRequest, RequestBuilder
from proxy.delivery.service import Delivered, Delivery
from proxy.http.headers import (
    naming,
    picture_headers,
    read_fields,
    read_link,
    saving,
    server_timing,
    target_of,
    varying,
)
from proxy.http.problem import ALLOW, SAFE_HEADERS, Headers, problem_answer
from proxy.telemetry.metrics import Metrics

log = structlog.get_logger("darkroom.edge")

Value = TypeVar("Value")
Answer = tuple[int, Headers, bytes, str]
"""Status, headers, body, and the tier the picture came from."""


class ClientLeft(Exception):
    """The connection closed before there was an answer."""


class DeliveryEndpoint:
    """Answers GET, HEAD and OPTIONS for pictures; `logged` is which requests leave a line (all, work, none)."""

    def __init__(self, requests: RequestBuilder, delivery: Delivery, metrics: Metrics, logged: str) -> None:
        self._requests = requests
        self._delivery = delivery
        self._metrics = metrics
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = perf_counter()
        request_id = _name_request()
        identity = (b"x-request-id", request_id.encode())
        tier, cause = "none", None
        vary: Headers = []
        try:
            status, headers, body, tier = await self._answer(scope, receive, vary)
        except ClientLeft:
            self._metrics.answered(499, tier, 0)
            return
        except DarkroomError as refusal:
            status, headers, body = problem_answer(refusal, request_id)
            headers += vary
            cause = refusal.code
        except Exception:
            log.exception("a request failed", request=request_id)
            status, headers, body = problem_answer(InternalError(), request_id)
            cause = InternalError.code
        headers.append(identity)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})
        self._metrics.answered(status, tier, len(sent))
        if self._logged == "all" or (self._logged == "work" and (cause or tier == "render")):
            _log(scope, request=request_id, status=status, tier=tier, cause=cause, ms=_ms(begun))

    async def _answer(self, scope: Scope, receive: Receive, vary: Headers) -> Answer:
        """Walk the line for one request; `vary` is told what a refusal depends on, once that is known."""
        method = scope["method"]
        if method not in ("GET", "HEAD", "OPTIONS"):
            raise MethodNotAllowed("Pictures are read with GET or HEAD.")
        link = read_link(target_of(scope))
        negotiation, if_none_match = read_fields(scope["headers"])
        if method == "OPTIONS":
            return 204, [(b"allow", ALLOW)], b"", "none"
        tenant, resolved = await self._requests.authorize(link), None
        if link.digest is None:
            resolved = await unless_client_leaves(receive, self._requests.resolve(tenant, link))
        request = self._requests.build(tenant, link, negotiation, resolved)
        vary += varying(request)
        if ready := self._ready(request, if_none_match):
            return ready
        if method == "HEAD":
            return await self._inspected(request, receive)
        delivered = await unless_client_leaves(receive, self._delivery.deliver(request))
        self._metrics.staged(delivered.stages)
        return _pictured(request, delivered)

    def _ready(self, request: ImageRequest, if_none_match: str) -> Answer | None:
        """Answer what needs no waiting: a 304, or what memory holds."""
        if if_none_match and matches(if_none_match, request.etag):
            return 304, naming(request), b"", "none"
        peek = self._delivery.peek(request)
        return None if peek is None else _pictured(request, Delivered(peek[1], peek[0]))

    async def _inspected(self, request: ImageRequest, receive: Receive) -> Answer:
        """Answer HEAD for a picture that no memory holds; its length is only told where a tier knows it."""
        found = await unless_client_leaves(receive, self._delivery.inspect(request))
        shown = found[0]
        headers = [
            (b"content-type", shown.media_type.encode()),
            *naming(request),
            *SAFE_HEADERS,
            *saving(request, shown),
        ]
        if found[1] is not None:
            headers.append((b"content-length", str(len(found[1].body)).encode()))
        return 200, headers, b"", "none"


def _name_request() -> str:
    """Give a request its id: told apart from others, but no secret, so not worth a system call."""
    return f"{getrandbits(64):016x}"


def _pictured(request: ImageRequest, delivered: Delivered) -> Answer:
    derivative = delivered.derivative
    headers = picture_headers(request, derivative.format, len(derivative.body), server_timing(delivered))
    return 200, headers, derivative.body, delivered.tier


async def unless_client_leaves(receive: Receive, work: Coroutine[Any, Any, Value]) -> Value:
    """Await `work`; cancel it and raise ClientLeft when the client closes first."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_client_leaves(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientLeft
    finally:
        await _end((working, leaving))


async def _until_client_leaves(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _log(scope: Scope, **told: str | float | None) -> None:
    """Log one line; never the query: seals are in it."""
    log.info("answered", method=scope["method"], path=scope["raw_path"].decode("latin-1")[:2048], **told)


def _ms(begun: float) -> float:
    return round(1000 * (perf_counter() - begun), 1)
