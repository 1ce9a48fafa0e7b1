"""uvicorn's server with a second port for operations, and a hook that runs when it begins to stop."""

import asyncio
import socket
from collections.abc import Callable

import structlog
import uvicorn

log = structlog.get_logger("darkroom")


class Listener(uvicorn.Server):
    """Serves `config.app` on the sockets given to `run`, and `ops_config.app` on `ops_socket`.

    Logs each address once the application has started, because the kernel may have chosen the port.
    `on_shutdown` is called when the server begins to stop.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ops_config: uvicorn.Config | None = None,
        ops_socket: socket.socket | None = None,
        on_shutdown: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._ops_config = ops_config
        self._ops_socket = ops_socket
        self._on_shutdown = on_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, listen, and log the addresses."""
        await super().startup(sockets)
        for listening in sockets or ():
            log.info("listening on %s", _url(listening))
        if self._ops_config is not None and self._ops_socket is not None:
            await self._start_ops(self._ops_config, self._ops_socket)
            log.info("readiness and metrics on %s", _url(self._ops_socket))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: no new connections, running requests to their end, then the application's lifespan."""
        self._on_shutdown()
        await super().shutdown(sockets)

    async def _start_ops(self, config: uvicorn.Config, listening: socket.socket) -> None:
        """Listen for operations; connections share this server's state, so that it closes them when it stops."""
        config.load()

        def make_protocol() -> asyncio.Protocol:
            protocol: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        server = await asyncio.get_running_loop().create_server(make_protocol, sock=listening, backlog=config.backlog)
        self.servers.append(server)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host_part = f"[{host}]" if listening.family is socket.AF_INET6 else host
    return f"http://{host_part}:{port}"
