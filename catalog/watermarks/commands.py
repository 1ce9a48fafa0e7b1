"""`darkroom watermark`: images that recipes overlay on others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, TenantArgument, epilog
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from catalog.uploads.commands import open_upload_service
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.watermarks.service import Watermark

app = typer.Typer(help="Manage images that wm_NAME in a recipe overlays on others.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the watermark: a-z and 0-9.")]


@app.command(epilog=epilog("darkroom watermark put acme logo logo.png"))
def put(
    tenant: TenantArgument,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The image, preferably PNG or WebP with alpha.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Upload an image and name it as a watermark, or replace the image of a watermark."""
    from catalog.core.errors import WatermarkConflict
    from catalog.uploads.service import Uploaded, read_file
    from catalog.watermarks.service import Picture, check_name, put_watermark

    async def work() -> "Watermark":
        check_name(name)
        async with open_upload_service(read_settings()) as uploads:
            image = (await uploads.upload(principal_for(tenant), read_file(file), file.name)).image
            if image.reason is not None and image.status != "ready":
                raise WatermarkConflict(f"The image is {image.status} and cannot be a watermark. {image.reason}")
            upload = Uploaded.of(image)
            picture = Picture(upload.original, upload.width, upload.height)
            async with uploads.database.writing() as session:
                return await put_watermark(session, principal_for(tenant), COMMAND_LINE, name, picture)

    if not file.is_file():
        raise typer.BadParameter(f"{file} is not a readable file")
    _print([run(work(), tenant)], as_json=as_json)


@app.command("list", epilog=epilog("darkroom watermark list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List the watermarks of a tenant."""
    from catalog.records.schema import open_database
    from catalog.watermarks.service import list_watermarks

    async def work() -> "list[Watermark]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_watermarks(session, TenantName(tenant))

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom watermark delete acme logo"))
def delete(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """Delete a watermark: URLs with it are answered 400 from then on. Its original is kept."""
    from catalog.records.schema import open_database
    from catalog.watermarks.service import delete_watermark

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await delete_watermark(session, principal_for(tenant), COMMAND_LINE, name)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, watermark=name, state="deleted")
    else:
        print_line(f"Deleted watermark {name} of tenant {tenant}.")


def _print(watermarks: "Sequence[Watermark]", *, as_json: bool) -> None:
    if as_json:
        for mark in watermarks:
            print_json(watermark=mark.name, original=mark.original, width=mark.width, height=mark.height)
    else:
        print_table(*((f"wm_{mark.name}", f"{mark.width}×{mark.height}", mark.original) for mark in watermarks))
