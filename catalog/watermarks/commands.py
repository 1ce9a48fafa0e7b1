"""`darkroom watermark`: pictures that are laid over others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from catalog.uploads.commands import open_library
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.watermarks.service import Watermark

app = typer.Typer(help="Name pictures that wm_NAME in a recipe lays over others.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The watermark's name: a-z and 0-9.")]


@app.command(epilog=ending("darkroom watermark put acme logo logo.png"))
def put(
    tenant: TenantArgument,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The picture, best a PNG or WebP with alpha.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep a picture as an original of the tenant's, under a name; or give the name another picture."""
    from catalog.uploads.service import read_file
    from catalog.watermarks.service import check_name, put_watermark

    async def work() -> "Watermark":
        check_name(name)
        async with open_library(read_settings()) as library:
            kept = await library.upload(TenantName(tenant), read_file(file), file.name)
            return await put_watermark(library.database, TenantName(tenant), name, kept)

    if not file.is_file():
        raise typer.BadParameter(f"{file} is no file that can be read")
    _tell([run(work())], as_json=as_json)


@app.command("list", epilog=ending("darkroom watermark list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List a tenant's watermarks."""
    from catalog.records.database import open_database
    from catalog.watermarks.service import list_watermarks

    async def work() -> "list[Watermark]":
        async with open_database(read_settings()) as database:
            return await list_watermarks(database, TenantName(tenant))

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom watermark delete acme logo"))
def delete(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """Delete a watermark: URLs with it are answered 400 from then on; its picture stays an original."""
    from catalog.records.database import open_database
    from catalog.watermarks.service import delete_watermark

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await delete_watermark(database, TenantName(tenant), name)

    run(work())
    if as_json:
        say_json(tenant=tenant, watermark=name, state="deleted")
    else:
        say(f"Watermark {name} of tenant {tenant} is deleted.")


def _tell(watermarks: "Sequence[Watermark]", *, as_json: bool) -> None:
    if as_json:
        for one in watermarks:
            say_json(watermark=one.name, original=one.original, width=one.width, height=one.height)
    else:
        say_table(*((f"wm_{one.name}", f"{one.width}×{one.height}", one.original) for one in watermarks))
