"""`darkroom demo`: a tenant, a handful of pictures, a server, URLs that work."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import Exit, ending, read_settings, run, say, say_error, say_table
from catalog.cli.serve import listen, serve_on
from catalog.uploads.commands import open_library

if TYPE_CHECKING:
    from catalog.demo.service import Shown
    from proxy.settings import Settings

Pictures = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A folder whose pictures to show, instead of the demo's own."),
]


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending("darkroom demo", "darkroom demo --pictures ~/Pictures"))(demo)


def demo(
    pictures: Pictures = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on; DARKROOM_PORT or a free one if left out."),
    ] = None,
) -> None:
    """Take pictures in, print signed URLs of them, and serve; the page /demo shows them all."""
    settings = read_settings(port=port)
    listening = listen(settings) if port is not None else _listen_somewhere(settings)
    with listening:
        host, chosen = listening.getsockname()[:2]
        base_url = f"http://{host}:{chosen}"
        shown = run(_prepare(settings, pictures))
        if not shown:
            say_error("No picture was taken in: name a folder with JPEG, PNG, WebP, GIF or AVIF files.")
            raise typer.Exit(Exit.REFUSED)
        _tell(shown, base_url)
        raise typer.Exit(serve_on(settings, listening))


def _listen_somewhere(settings: "Settings") -> socket.socket:
    """Take the usual port, or a free one where another program has it."""
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError:
        return listen(settings.model_copy(update={"port": 0}))


async def _prepare(settings: "Settings", folder: Path | None) -> "list[Shown]":
    from catalog.demo.service import Shown, draw_pictures, find_pictures, page, show_all

    if folder is None:
        say("Drawing a few pictures …")
    paths = draw_pictures(settings.home / "demo") if folder is None else find_pictures(folder)
    shown: list[Shown] = []
    async with open_library(settings) as library:
        async for one in show_all(library, paths):
            if isinstance(one, Shown):
                shown.append(one)
            else:
                say_error(f"{one[0].name}: left out: {one[1]}")
    if shown:
        part = settings.home / ".demo.html.part"
        part.write_text(page(shown), encoding="utf-8")
        part.replace(settings.home / "demo.html")
    return shown


def _tell(shown: "list[Shown]", base_url: str) -> None:
    for one in shown[:8]:
        say(f"\n{one.name}  {one.kept.width}×{one.kept.height}")
        say_table(*((f"  {recipe}", f"{base_url}{url}") for recipe, url in one.urls.items()))
    if len(shown) > 8:  # noqa: PLR2004 - a small table
        say(f"\n… and {len(shown) - 8} more.")
    say(f"\nAll of them on one page: {base_url}/demo\nStop with Ctrl-C.\n")
