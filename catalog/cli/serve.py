"""`darkroom serve`: one server process."""

import os
import resource
import signal
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.cli.arguments import epilog
from catalog.cli.exit_codes import Exit
from catalog.cli.output import print_stderr
from catalog.cli.settings import read_settings, run

if TYPE_CHECKING:
    from collections.abc import Callable

    import uvicorn

    from proxy.settings import Settings

Plane = Literal["all", "delivery", "management"]
BACKLOG = 2_048
"""Connections that wait to be accepted; the kernel reduces this to net.core.somaxconn."""
KEEP_ALIVE_S = 75
"""Longer than a CDN keeps an idle connection (CloudFront: 60 s at most), so that it never uses a closed one."""
OPEN_FILES = 65_536
"""Limit of open files that the server asks for: connections, originals and workers need one each."""
CLOSE_S = 12.0
"""Time for everything that follows DARKROOM_DRAIN_S when the server stops, in seconds.

Pending writes get at most 6 s and workers 5 s. With the default of DARKROOM_DRAIN_S the process ends within 27 s:
Kubernetes kills it after 30 s.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=epilog("darkroom serve", "darkroom serve --host 0.0.0.0 --port 8080"))(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: DARKROOM_HOST.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one. Default: DARKROOM_PORT."),
    ] = None,
    only: Annotated[
        Plane,
        typer.Option(help="Serve one plane: pictures (delivery) or the API (management)."),
    ] = "all",
) -> None:
    """Serve pictures (/t/…) and the API (/api).

    SIGTERM or SIGINT stops the server after running requests are finished.
    """
    settings = read_settings(host=host, port=port)
    _check_extras(settings)
    run(_check_database(settings))
    raise typer.Exit(serve_on(settings, listen(settings), only))


def _check_extras(settings: "Settings") -> None:
    """Exit with a message if a setting needs a package that is not installed."""
    from catalog.maintenance.extras import find_extras, how_to_install

    if missing := find_extras(settings).missing:
        print_stderr(f"Turned on and not installed: {', '.join(missing)}: {how_to_install(missing)}, or turn them off.")
        raise typer.Exit(Exit.USAGE)


async def _check_database(settings: "Settings") -> None:
    """Raise before anything is started if the database or its secrets cannot be used."""
    from catalog.records.schema import open_database
    from catalog.secrets.service import check_secrets

    async with open_database(settings) as database:
        await check_secrets(database)


def listen(settings: "Settings") -> socket.socket:
    """Bind the pictures' address and port; exit with a message if that fails."""
    return _bind(settings.host, settings.port, "choose others with --host and --port")


def listen_for_ops(settings: "Settings") -> socket.socket | None:
    """Bind the operations address and port, if they are set; exit with a message if that fails."""
    if settings.ops_port is None:
        return None
    return _bind(settings.ops_host, settings.ops_port, "choose others with DARKROOM_OPS_HOST and DARKROOM_OPS_PORT")


def _bind(host: str, port: int, advice: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        print_stderr(f"Cannot listen on {host} port {port} ({error.strerror}): {advice}.")
        raise typer.Exit(Exit.REFUSED) from None


def serve_on(settings: "Settings", listening: socket.socket, only: Plane = "all") -> Exit:
    """Serve on a socket until a signal stops the server."""
    from catalog.app import create_app
    from catalog.cli.listener import Listener
    from proxy.http.protocol import FastPathProtocol, ProblemProtocol

    ops_listening = listen_for_ops(settings)
    app = create_app(settings, only)
    raise_open_file_limit()
    server = Listener(
        _config(settings, app, FastPathProtocol, lifespan="on"),
        _config(settings, app.ops, ProblemProtocol, lifespan="off"),
        ops_listening,
        on_shutdown=partial(exit_after, settings.drain_s + CLOSE_S, app.log_writer.close),
    )
    # uvicorn drains, then raises the signal again for the handlers that were installed before: it is not an error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        with listening:
            server.run(sockets=[listening])
    finally:
        app.log_writer.close()
    return Exit.FINE if server.started else Exit.UNAVAILABLE


def _config(settings: "Settings", app: object, protocol: type, lifespan: str) -> "uvicorn.Config":
    import uvicorn

    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan=lifespan,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.drain_s),
    )


def raise_open_file_limit(most: int = OPEN_FILES) -> None:
    """Raise the soft limit of open files to the hard limit, but to no more than `most`, and log it."""
    import structlog

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        structlog.get_logger("darkroom").info("raised the limit of open files", before=soft, now=wanted)


def exit_after(seconds: float, close_logs: "Callable[[], None]") -> None:
    """End this process after `seconds`, whatever it waits for then: a thread in a system call cannot be cancelled."""
    timer = threading.Timer(seconds, _exit_now, args=(seconds, close_logs))
    timer.daemon = True
    timer.start()


def _exit_now(seconds: float, close_logs: "Callable[[], None]") -> None:
    import structlog

    structlog.get_logger("darkroom").error("stopping took too long, exiting", seconds=seconds)
    close_logs()
    os._exit(Exit.REFUSED)
