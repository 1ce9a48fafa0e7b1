"""`darkroom source`: places that references in URLs may lead to."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.sources.service import Source

app = typer.Typer(help="Allow places that ~references in URLs may lead to.", no_args_is_help=True)

PrefixArgument = Annotated[
    str, typer.Argument(metavar="PREFIX", help="s3://bucket/folder or https://host/folder: it and all below it.")
]


def read_credential(text: str) -> tuple[str, str]:
    """Read NAME=VALUE, or NAME=env:VARIABLE, which keeps the value out of the shell's history."""
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter("say NAME=VALUE, or NAME=env:VARIABLE")
    if value.startswith("env:"):
        variable = value.removeprefix("env:")
        if variable not in os.environ:
            raise typer.BadParameter(f"the environment has no {variable}")
        value = os.environ[variable]
    return name, value


@app.command(
    epilog=ending(
        "darkroom source add acme https://img.example.com/photos",
        "darkroom source add acme s3://photos --credential access_key_id=AK… --credential secret_access_key=env:SECRET",
    )
)
def add(
    tenant: TenantArgument,
    prefix: PrefixArgument,
    credential: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What opens it: keys for S3, header fields for HTTPS; see the docs."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Allow a source, or change what opens it."""
    from catalog.records.database import open_database
    from catalog.sources.service import put_source

    credentials = dict(map(read_credential, credential or ()))

    async def work() -> "Source":
        async with open_database(read_settings()) as database:
            return await put_source(database, TenantName(tenant), prefix, credentials)

    _tell([run(work())], as_json=as_json)


@app.command("list", epilog=ending("darkroom source list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List a tenant's sources, and the names of what opens them."""
    from catalog.records.database import open_database
    from catalog.sources.service import list_sources

    async def work() -> "list[Source]":
        async with open_database(read_settings()) as database:
            return await list_sources(database, TenantName(tenant))

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom source delete acme https://img.example.com/photos"))
def delete(tenant: TenantArgument, prefix: PrefixArgument, *, as_json: AsJson = False) -> None:
    """Allow a source no longer; what was fetched from it stays among the originals."""
    from catalog.records.database import open_database
    from catalog.sources.service import delete_source

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await delete_source(database, TenantName(tenant), prefix)

    run(work())
    if as_json:
        say_json(tenant=tenant, source=prefix, state="deleted")
    else:
        say(f"SourceResolver of tenant {tenant} no longer lead to {prefix}.")


def _tell(sources: "Sequence[Source]", *, as_json: bool) -> None:
    if as_json:
        for one in sources:
            say_json(source=one.prefix, credentials=list(one.credentials))
    else:
        say_table(*((one.prefix, ", ".join(one.credentials) or "no credentials") for one in sources))
