"""`darkroom demo`: a tenant with a few images, a server, and URLs that work."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import epilog
from catalog.cli.exit_codes import Exit
from catalog.cli.output import print_line, print_stderr, print_table
from catalog.cli.principal import principal_for
from catalog.cli.serve import listen, serve_on
from catalog.cli.settings import read_settings, run
from catalog.uploads.commands import open_upload_service

if TYPE_CHECKING:
    from catalog.demo.service import DemoImage
    from proxy.settings import Settings

MOST_PRINTED = 8

Pictures = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A folder of images to show instead of the demo's own."),
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=epilog("darkroom demo", "darkroom demo --pictures ~/Pictures"))(demo)


def demo(
    pictures: Pictures = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on; DARKROOM_PORT or a free one if omitted."),
    ] = None,
) -> None:
    """Upload images, print signed URLs of them, and serve them; the page /demo shows all of them."""
    settings = read_settings(port=port)
    listening = listen(settings) if port is not None else _listen_somewhere(settings)
    with listening:
        host, bound_port = listening.getsockname()[:2]
        base_url = f"http://{host}:{bound_port}"
        images = run(_prepare(settings, pictures))
        if not images:
            print_stderr("No image was uploaded: specify a folder with JPEG, PNG, WebP, GIF or AVIF files.")
            raise typer.Exit(Exit.REFUSED)
        _print(images, base_url)
        raise typer.Exit(serve_on(settings, listening))


def _listen_somewhere(settings: "Settings") -> socket.socket:
    """Listen on the port of the settings, or on a free one if it is in use."""
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError:
        return listen(settings.model_copy(update={"port": 0}))


async def _prepare(settings: "Settings", folder: Path | None) -> "list[DemoImage]":
    from catalog.demo.service import TENANT, DemoImage, draw_pictures, find_pictures, render_page, upload_all

    if folder is None:
        print_line("Drawing a few images …")
    paths = draw_pictures(settings.home / "demo") if folder is None else find_pictures(folder)
    images: list[DemoImage] = []
    async with open_upload_service(settings) as uploads:
        async for result in upload_all(uploads, principal_for(TENANT), paths):
            if isinstance(result, DemoImage):
                images.append(result)
            else:
                print_stderr(f"{result[0].name}: skipped: {result[1]}")
    if images:
        part = settings.home / ".demo.html.part"
        part.write_text(render_page(images), encoding="utf-8")
        part.replace(settings.home / "demo.html")
    return images


def _print(images: "list[DemoImage]", base_url: str) -> None:
    for image in images[:MOST_PRINTED]:
        print_line(f"\n{image.name}  {image.uploaded.width}×{image.uploaded.height}")
        print_table(*((f"  {recipe}", f"{base_url}{url}") for recipe, url in image.urls.items()))
    if len(images) > MOST_PRINTED:
        print_line(f"\n… and {len(images) - MOST_PRINTED} more.")
    print_line(f"\nAll of them on one page: {base_url}/demo\nStop with Ctrl-C.\n")
