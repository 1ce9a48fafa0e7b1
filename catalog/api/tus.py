"""What all messages of tus have, whatever answers them: `Tus-Resumable`, and `X-HTTP-Method-Override`. Pure ASGI."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.core.upload_errors import TUS_VERSION

PREFIX: Final = "/api/tus"
_OVERRIDES: Final = frozenset({b"PATCH", b"DELETE", b"HEAD"})


class TusMessages:
    """Middleware for the paths of tus; other requests pass through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the method that the client means, and name the version in the answer."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return

        async def send_versioned(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [*message.get("headers", ()), (b"tus-resumable", TUS_VERSION.encode())],
                }
            await send(message)

        await self._app({**scope, "method": _method_of(scope)}, receive, send_versioned)


def _method_of(scope: Scope) -> str:
    """Return the method; a POST may stand for one that its client cannot send."""
    method = str(scope["method"])
    if method != "POST":
        return method
    named = (value.upper() for name, value in scope["headers"] if name == b"x-http-method-override")
    return next((value.decode() for value in named if value in _OVERRIDES), method)
