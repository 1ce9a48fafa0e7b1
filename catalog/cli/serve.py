"""`darkroom serve`: the server, one process of it."""

import signal
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import epilog
from catalog.cli.exit_codes import Exit
from catalog.cli.output import print_stderr
from catalog.cli.settings import read_settings, run

if TYPE_CHECKING:
    from proxy.settings import Settings

BACKLOG = 2_048
"""Connections the kernel keeps before they are accepted; it cuts this to net.core.somaxconn."""
KEEP_ALIVE_S = 75
"""Longer than a CDN keeps an idle connection (CloudFront: 60 s at most), so that it never meets a closed one."""


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=epilog("darkroom serve", "darkroom serve --host 0.0.0.0 --port 8080"))(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; DARKROOM_HOST if left out.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one; DARKROOM_PORT if left out."),
    ] = None,
) -> None:
    """Serve pictures.

    SIGTERM or SIGINT ends it; requests under way are finished first.
    """
    settings = read_settings(host=host, port=port)
    _look_at_extras(settings)
    run(_look_at_database(settings))
    raise typer.Exit(serve_on(settings, listen(settings)))


def _look_at_extras(settings: "Settings") -> None:
    """Exit with a sentence where a setting turns on what is not installed."""
    from catalog.maintenance.extras import find_extras, how_to_install

    if missing := find_extras(settings).missing:
        print_stderr(f"Turned on and not installed: {', '.join(missing)}: {how_to_install(missing)}, or turn them off.")
        raise typer.Exit(Exit.USAGE)


async def _look_at_database(settings: "Settings") -> None:
    """Refuse in a sentence, before anything starts, what would otherwise fail in the middle of starting."""
    from catalog.records.schema import open_database
    from catalog.secrets.service import check_secrets

    async with open_database(settings) as database:
        await check_secrets(database)


def listen(settings: "Settings") -> socket.socket:
    """Take the address and port of the settings; exits with a sentence where they are not to be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        print_stderr(
            f"{settings.host} port {settings.port} cannot be listened on ({error.strerror}): "
            "choose others with --host and --port."
        )
        raise typer.Exit(Exit.REFUSED) from None


def serve_on(settings: "Settings", listening: socket.socket) -> Exit:
    """Serve on a socket until told to stop."""
    import uvicorn

    from catalog.app import create_app
    from catalog.cli.listener import Listener
    from proxy.http.protocol import FastPathProtocol

    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http=FastPathProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.drain_s),
    )
    server = Listener(config)
    # uvicorn drains, then raises the signal again for whoever was there before: to have stopped as told is fine.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: None)
    with listening:
        server.run(sockets=[listening])
    return Exit.FINE if server.started else Exit.UNAVAILABLE
