"""Who may read the operations endpoints `/readyz` and `/metrics`.

With a token every request needs it. Without one, a port of its own needs nothing (its address decides who reaches it),
and the public port answers to this machine alone: to loopback clients that no proxy speaks for.
"""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Handler = Callable[[Request], Awaitable[Response]]

_FORWARDED = ("forwarded", "x-forwarded-for", "via")
"""Fields that a proxy adds; with one of them, the loopback address is the proxy's and not the client's."""


class OpsAccess:
    """Guards handlers. `token` is "" for none; `public` says that the handlers share the pictures' port."""

    def __init__(self, token: str, *, public: bool) -> None:
        self._expected = f"Bearer {token}".encode() if token else b""
        self._public = public

    def guard(self, handler: Handler, refused: Handler) -> Handler:
        """Wrap a handler: without access, `refused` answers instead, and 401 where a token is expected."""

        async def handle(request: Request) -> Response:
            if self._expected:
                return await handler(request) if self._has_token(request) else _unauthorized()
            allowed = not self._public or _is_local(request)
            return await (handler if allowed else refused)(request)

        return handle

    def _has_token(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode("latin-1")
        return hmac.compare_digest(given, self._expected)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _unauthorized() -> Response:
    headers = {"www-authenticate": "Bearer", "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return PlainTextResponse("Send the token of DARKROOM_OPS_TOKEN as a bearer token.\n", 401, headers)
