"""`darkroom source`: prefixes of the addresses that references in URLs may name."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import SECRET_FORMS, AsJson, TenantArgument, epilog, read_secret
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.sources.service import Source

app = typer.Typer(help="Manage the sources that ~references in URLs may name.", no_args_is_help=True)

PrefixArgument = Annotated[
    str, typer.Argument(metavar="PREFIX", help="s3://bucket/folder or https://host/folder; includes all below it.")
]


def read_credential(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE, whose value has any form of `read_secret`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"specify NAME=VALUE, for example authorization=env:TOKEN, not {name!r}")
    return name, read_secret(value)


@app.command(
    epilog=epilog(
        "darkroom source add acme https://img.example.com/photos",
        "darkroom source add acme s3://photos --credential access_key_id=AK… --credential secret_access_key=env:SECRET",
        "darkroom source add acme s3://public-photos --credential credentials=none",
    )
)
def add(
    tenant: TenantArgument,
    prefix: PrefixArgument,
    credential: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help=f"Keys for S3, request header fields for HTTPS; see docs/sources.md. {SECRET_FORMS}.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Allow a source, or replace its credentials.

    A source in S3 needs its own keys, or credentials=none for a public bucket, or credentials=machine for those of the
    servers.
    """
    from urllib.parse import urlsplit

    from catalog.records.schema import open_database
    from catalog.sources.service import put_source

    credentials = dict(map(read_credential, credential or ()))
    settings = read_settings()
    bucket = urlsplit(settings.store_url).netloc

    async def work() -> "Source":
        async with open_database(settings) as database, database.writing() as session:
            return await put_source(
                session,
                database.cipher,
                principal_for(tenant),
                COMMAND_LINE,
                prefix,
                credentials,
                store_bucket=bucket,
            )

    _print([run(work(), tenant)], as_json=as_json)


@app.command("list", epilog=epilog("darkroom source list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List the sources of a tenant, with the names of their credentials."""
    from catalog.records.schema import open_database
    from catalog.sources.service import list_sources

    async def work() -> "list[Source]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_sources(session, database.cipher, TenantName(tenant))

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom source delete acme https://img.example.com/photos"))
def delete(tenant: TenantArgument, prefix: PrefixArgument, *, as_json: AsJson = False) -> None:
    """Delete a source; what was fetched from it stays among the originals."""
    from catalog.records.schema import open_database
    from catalog.sources.service import delete_source

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await delete_source(session, database.cipher, principal_for(tenant), COMMAND_LINE, prefix)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, source=prefix, state="deleted")
    else:
        print_line(f"Deleted source {prefix} of tenant {tenant}.")


def _print(sources: "Sequence[Source]", *, as_json: bool) -> None:
    if as_json:
        for source in sources:
            print_json(source=source.prefix, credentials=list(source.credentials))
    else:
        print_table(*((source.prefix, ", ".join(source.credentials) or "no credentials") for source in sources))
