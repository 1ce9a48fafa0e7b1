"""uvicorn's server, which says where it listens once it does."""

import socket

import structlog
import uvicorn


class Listener(uvicorn.Server):
    """Logs `listening on http://…` when the application has started: the port may have been chosen by the kernel."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell every address."""
        await super().startup(sockets)
        for one in sockets or ():
            host, port = one.getsockname()[:2]
            shown = f"[{host}]" if one.family is socket.AF_INET6 else host
            structlog.get_logger("darkroom").info(f"listening on http://{shown}:{port}")
