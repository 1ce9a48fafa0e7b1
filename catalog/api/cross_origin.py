"""CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): pages of the origins that a tenant allows may call the API.

    preflight       has no token: answered where any tenant allows the origin, and by the application otherwise
    real request    readable for the page if the caller's own tenant allows the origin; without a caller (401), if any
                    tenant does

It is off where no tenant allows an origin. No answer allows credentials: pages send `Authorization`, never cookies.
A request from another origin is answered all the same, for CORS guards the answer and not the service. Pure ASGI.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.core.web_origin import LONGEST_ORIGIN
from proxy.core.identifiers import TenantName

PREFLIGHT_MAX_AGE_S: Final = 600
ALLOWED_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, Range, "
    "Tus-Resumable, Upload-Checksum, Upload-Concat, Upload-Defer-Length, Upload-Length, Upload-Metadata, "
    "Upload-Offset, X-HTTP-Method-Override, X-Requested-With"
)
EXPOSED_HEADERS: Final = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Idempotency-Replayed, Link, Location, RateLimit, "
    "RateLimit-Policy, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, WWW-Authenticate, X-Image-Id, X-Request-Id"
)

_Fields = Sequence[tuple[bytes, bytes]]


class Origins(Protocol):
    """Which origins are allowed."""

    async def is_allowed(self, origin: str, tenant: TenantName | None) -> bool:
        """Return whether a tenant allows an origin; without a tenant, whether any does."""
        ...


class CrossOrigin:
    """Middleware; `scope["state"]["caller_tenant"]` is set by the authentication within."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or let the page of an allowed origin read the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        if not origin or len(origin) > LONGEST_ORIGIN:
            await self._app(scope, receive, _with(send, [(b"vary", b"Origin")]))
            return
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if preflight and await self._origins.is_allowed(origin, None):
            await _answer_preflight(origin, send)
            return
        await self._app(scope, receive, self._readable_for(origin, scope, send))

    def _readable_for(self, origin: str, scope: Scope, send: Send) -> Send:
        """Return a `send` that adds the fields if the origin is allowed; the tenant is known when the answer begins."""

        async def send_allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                tenant = scope.get("state", {}).get("caller_tenant")
                fields = [(b"vary", b"Origin")]
                if await self._origins.is_allowed(origin, tenant):
                    fields += [
                        (b"access-control-allow-origin", origin.encode("latin-1")),
                        (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
                    ]
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            await send(message)

        return send_allowing


def _with(send: Send, fields: _Fields) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *fields]}
        await send(message)

    return send_with


async def _answer_preflight(origin: str, send: Send) -> None:
    fields = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", ALLOWED_METHODS.encode()),
        (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
        (b"access-control-max-age", str(PREFLIGHT_MAX_AGE_S).encode()),
        (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": fields})
    await send({"type": "http.response.body", "body": b""})
