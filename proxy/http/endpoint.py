"""The picture endpoint: one ASGI callable for everything below `/t/`.

The order of checks is part of the contract: method → length → shape of path and query → seal → recipe → tenant's rules
→ 304 → caches → limits → capacity → deadline. Nothing is routed or decoded, because the seal signs the raw path.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from time import perf_counter
from typing import Any, TypeVar

import structlog
from starlette.types import Receive, Scope, Send

from proxy.core.errors import DarkroomError, InternalError, MethodNotAllowed
from proxy.delivery.image_request import ImageRequest
from proxy.delivery.service import Delivery
from proxy.http.headers import (
    cache_headers,
    disposition_headers,
    parse_link,
    raw_target,
    read_fields,
    require_host,
    vary_headers,
)
from proxy.http.problem import (
    ALLOW,
    SAFE_HEADERS,
    Headers,
    Response,
    new_request_id,
    problem_response,
    request_id_header,
)
from proxy.http.request_log import RequestLog
from proxy.http.request_steps import RequestSteps, picture_response
from proxy.telemetry.metrics import Metrics

log = structlog.get_logger("darkroom.http")

Value = TypeVar("Value")


class ClientDisconnected(Exception):
    """The client closed the connection before the response was ready."""


class DeliveryEndpoint:
    """Answers GET, HEAD and OPTIONS for pictures."""

    def __init__(self, steps: RequestSteps, delivery: Delivery, metrics: Metrics, request_log: RequestLog) -> None:
        self._steps = steps
        self._delivery = delivery
        self._metrics = metrics
        self._log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = perf_counter()
        request_id = new_request_id()
        vary: Headers = []
        code = None
        try:
            response = await self._respond(scope, receive, vary)
        except ClientDisconnected:
            self._metrics.count_response(499, "none", 0)
            return
        except DarkroomError as error:
            response, code = problem_response(error, request_id), error.code
            response.headers.extend(vary)
        except Exception:
            log.exception("request failed", request=request_id)
            response, code = problem_response(InternalError(), request_id), InternalError.code
        sent_bytes = await _send(scope, send, response, request_id)
        self._metrics.count_response(response.status, response.tier, sent_bytes)
        duration_ms = round(1000 * (perf_counter() - begun), 1)
        self._log.write(scope, response.tier, code, request=request_id, status=response.status, ms=duration_ms)

    async def _respond(self, scope: Scope, receive: Receive, vary: Headers) -> Response:
        """Return the response or raise its refusal; `vary` receives what a later refusal depends on."""
        require_host(scope)
        method = scope["method"]
        if method not in ("GET", "HEAD", "OPTIONS"):
            raise MethodNotAllowed("Pictures are read with GET or HEAD.")
        link = parse_link(raw_target(scope))
        negotiation, if_none_match = read_fields(scope["headers"])
        if method == "OPTIONS":
            return Response(204, [(b"allow", ALLOW)], b"")
        building = self._steps.build(link, negotiation)
        request = await (building if link.digest else cancel_on_disconnect(receive, building))
        vary.extend(vary_headers(request))
        if response := self._steps.respond_from_memory(request, if_none_match):
            return response
        if method == "HEAD":
            return await self._inspect(request, receive)
        delivered = await cancel_on_disconnect(receive, self._delivery.deliver(request))
        self._steps.check_refusal(request)
        self._metrics.observe_stages(delivered.stages)
        return picture_response(request, delivered)

    async def _inspect(self, request: ImageRequest, receive: Receive) -> Response:
        """Answer HEAD for a picture that is not in memory; Content-Length is known only if a tier holds the picture."""
        picture_format, derivative = await cancel_on_disconnect(receive, self._delivery.inspect(request))
        headers = [
            (b"content-type", picture_format.media_type.encode()),
            *cache_headers(request),
            *SAFE_HEADERS,
            *disposition_headers(request, picture_format),
        ]
        if derivative is not None:
            headers.append((b"content-length", str(len(derivative.body)).encode()))
        return Response(200, headers, b"")


async def _send(scope: Scope, send: Send, response: Response, request_id: str) -> int:
    """Send a response, without its body for HEAD; return the length of the body that was sent."""
    body = b"" if scope["method"] == "HEAD" else response.body
    headers = [*response.headers, request_id_header(request_id)]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return len(body)


async def send_problem(scope: Scope, send: Send, error: DarkroomError) -> None:
    """Send a refusal from outside of the endpoint."""
    request_id = new_request_id()
    await _send(scope, send, problem_response(error, request_id), request_id)


async def cancel_on_disconnect(receive: Receive, work: Coroutine[Any, Any, Value]) -> Value:
    """Await `work`; if the client closes the connection first, cancel it and raise ClientDisconnected."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnected
    finally:
        await _cancel((working, watching))


async def _wait_for_disconnect(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
