"""`darkroom search`: the index that images are found by."""

from typing import Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_tenant
from catalog.cli.output import print_json, print_line
from catalog.cli.settings import read_settings, run

app = typer.Typer(help="The index that images are found by.", no_args_is_help=True)


@app.callback()
def search() -> None:
    """Keep the index that images are found by."""


@app.command(epilog=epilog("darkroom search rebuild", "darkroom search rebuild --tenant acme"))
def rebuild(
    tenant: Annotated[
        str | None, typer.Option(parser=read_tenant, metavar="NAME", help="Only this tenant's images. Default: all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make the index of images anew.

    Safe to run while servers run, to interrupt and to repeat: each image is indexed by itself.
    """

    async def work() -> int:
        from catalog.records.schema import open_database
        from catalog.search.rebuild import rebuild as index_all
        from proxy.core.identifiers import TenantName

        count = 0
        async with open_database(read_settings()) as database:
            async for _ in index_all(database, None if tenant is None else TenantName(tenant)):
                count += 1
        return count

    count = run(work())
    if as_json:
        print_json(images=count)
    else:
        print_line(f"Indexed {count} {'image' if count == 1 else 'images'}.")
