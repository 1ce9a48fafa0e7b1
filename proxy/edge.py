"""HTTP in and out: one ASGI callable for everything below `/t/`.

The order of checks is the contract's: method → length → shape of path and query → seal → recipe → tenant's rules → 304
→ caches → limits → capacity →
deadline. Nothing is routed or decoded: the raw path is what was sealed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import lru_cache
from random import getrandbits
from time import perf_counter
from typing import Any, TypeVar

import structlog
from starlette.types import Receive, Scope, Send

from proxy.core.caching import cache_control, matches
from proxy.core.errors import Broken, HeadersTooLarge, MethodNotAllowed, Refusal
from proxy.core.formats import Format
from proxy.core.link import Link, parse_target
from proxy.deliver import Delivered, Delivery, Order
from proxy.metrics import Metrics
from proxy.problem import ALLOW, SAFE_HEADERS, Headers, problem_answer

log = structlog.get_logger("darkroom.edge")

Value = TypeVar("Value")
Answer = tuple[int, Headers, bytes, str]
"""Status, headers, body, and the tier the picture came from."""

MAX_HEADER_BYTES = 16_384

_VARY = (b"vary", b"Accept")


class ClientLeft(Exception):  # noqa: N818 - nobody is told
    """The connection closed before there was an answer."""


class Edge:
    """Answers GET, HEAD and OPTIONS for pictures; `logged` is which requests leave a line (all, work, none)."""

    def __init__(self, delivery: Delivery, metrics: Metrics, logged: str) -> None:
        self._delivery = delivery
        self._metrics = metrics
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = perf_counter()
        request_id = _name_request()
        identity = (b"x-request-id", request_id.encode())
        tier, cause = "none", None
        try:
            status, headers, body, tier = await self._answer(scope, receive)
        except ClientLeft:
            self._metrics.answered(499, tier, 0)
            return
        except Refusal as refusal:
            status, headers, body = problem_answer(refusal, request_id)
            cause = refusal.code
        except Exception:
            log.exception("a request failed", request=request_id)
            status, headers, body = problem_answer(Broken(), request_id)
            cause = Broken.code
        headers.append(identity)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})
        self._metrics.answered(status, tier, len(sent))
        if self._logged == "all" or (self._logged == "work" and (cause or tier == "render")):
            _log(scope, request=request_id, status=status, tier=tier, cause=cause, ms=_ms(begun))

    def at_once(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET for a picture in memory: status, header lines, body. The line below, walked without waiting.

        None when it would have to wait, to refuse, to compare or to log: then call this object, which walks it from
        the start.
        """
        if self._logged == "all":
            return None
        try:
            link, accept, if_none_match = _read(target, fields)
            tenant = self._delivery.admit_at_once(link)
            if tenant is None or if_none_match:
                return None
            order = self._delivery.order(tenant, link, accept)
        except Refusal:
            return None
        at_hand = self._delivery.at_hand(order)
        if at_hand is None:
            return None
        tier, derivative = at_hand
        body = derivative.body
        self._metrics.answered(200, tier, len(body))
        lines = _lines(order, tier, derivative.format, len(body))
        return 200, b"%bx-request-id: %016x\r\n" % (lines, getrandbits(64)), body

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """Walk the line for one request."""
        method = scope["method"]
        if method not in ("GET", "HEAD", "OPTIONS"):
            raise MethodNotAllowed("Pictures are read with GET or HEAD.")
        link, accept, if_none_match = _read(_target(scope), scope["headers"])
        if method == "OPTIONS":
            return 204, [(b"allow", ALLOW)], b"", "none"
        order = self._delivery.order(await self._delivery.admit(link), link, accept)
        if ready := self._ready(order, if_none_match):
            return ready
        if method == "HEAD":
            return await self._inspected(order, receive)
        delivered = await unless_client_leaves(receive, self._delivery.deliver(order))
        self._metrics.staged(delivered.stages)
        return _pictured(order, delivered)

    def _ready(self, order: Order, if_none_match: str) -> Answer | None:
        """Answer what needs no waiting: a 304, or what memory holds."""
        if if_none_match and matches(if_none_match, order.etag):
            return 304, _names(order), b"", "none"
        at_hand = self._delivery.at_hand(order)
        return None if at_hand is None else _pictured(order, Delivered(at_hand[1], at_hand[0]))

    async def _inspected(self, order: Order, receive: Receive) -> Answer:
        """Answer HEAD for a picture that no memory holds; its length is only told where a tier knows it."""
        found = await unless_client_leaves(receive, self._delivery.inspect(order))
        headers = [*_names(order), (b"content-type", found[0].media_type.encode()), *SAFE_HEADERS]
        if found[1] is not None:
            headers.append((b"content-length", str(len(found[1].body)).encode()))
        return 200, headers, b"", "none"


def _name_request() -> str:
    """Give a request its id: told apart from others, but no secret, so not worth a system call."""
    return f"{getrandbits(64):016x}"


def _read(target: bytes, fields: Headers) -> tuple[Link, str, str]:
    """Give the link, Accept and If-None-Match; repeated fields are one list (RFC 9110 §5.3)."""
    accept = if_none_match = b""
    size = 0
    for name, value in fields:
        size += len(name) + len(value)
        if name == b"accept":
            accept = accept + b"," + value if accept else value
        elif name == b"if-none-match":
            if_none_match = if_none_match + b"," + value if if_none_match else value
    link = _link(target)
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"The header fields are over {MAX_HEADER_BYTES} bytes.")
    return link, accept.decode("latin-1"), if_none_match.decode("latin-1")


def _target(scope: Scope) -> bytes:
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


@lru_cache(maxsize=16_384)
def _link(target: bytes) -> Link:
    raw_path, _, query = target.partition(b"?")
    return parse_target(raw_path, query)


def _names(order: Order) -> Headers:
    """Give what a 200 and its 304 both carry (RFC 9110 §15.4.5)."""
    headers = [
        (b"etag", order.etag.encode()),
        (b"cache-control", cache_control(order.lifetime_s).encode()),
        (b"x-amz-meta-cache-tag", f"a-{order.tenant.name}-{order.original}, t-{order.tenant.name}".encode()),
    ]
    if order.client is not None:
        headers.append(_VARY)
    return headers


def _pictured(order: Order, delivered: Delivered) -> Answer:
    derivative = delivered.derivative
    headers = _headers(order, derivative.format, len(derivative.body), _server_timing(delivered))
    return 200, headers, derivative.body, delivered.tier


def _headers(order: Order, shown: Format, length: int, server_timing: str) -> Headers:
    """Give all that a picture's 200 carries but the request's id."""
    return [
        (b"content-type", shown.media_type.encode()),
        (b"content-length", str(length).encode()),
        *_names(order),
        *SAFE_HEADERS,
        (b"server-timing", server_timing.encode()),
    ]


@lru_cache(maxsize=16_384)
def _lines(order: Order, tier: str, shown: Format, length: int) -> bytes:
    """Give the same as they are sent, for a picture from memory: a hit's headers do not change."""
    return b"".join(b"%b: %b\r\n" % field for field in _headers(order, shown, length, _tier(tier)))


def _server_timing(delivered: Delivered) -> str:
    """Tell the tier and each stage in milliseconds (W3C Server Timing)."""
    return ", ".join((_tier(delivered.tier), *(f"{name};dur={1000 * s:.1f}" for name, s in delivered.stages)))


def _tier(name: str) -> str:
    return f'tier;desc="{name}"'


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
