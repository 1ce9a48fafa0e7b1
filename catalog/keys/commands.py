"""`darkroom key`: the signing secrets of a tenant and their rotation."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import SECRET_FORMS, AsJson, TenantArgument, epilog, read_secret
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.keys.service import Key

app = typer.Typer(help="Rotate the keys of a tenant.", no_args_is_help=True)


@app.command(epilog=epilog("darkroom key add acme", "darkroom key add acme --secret env:NEW_SECRET"))
def add(
    tenant: TenantArgument,
    secret: Annotated[
        str | None,
        typer.Option(
            parser=read_secret,
            metavar="SECRET",
            help=f"The secret, 16 to 256 characters; generated if omitted. {SECRET_FORMS}.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs from now on, and print its secret, which is not shown again."""
    from catalog.keys.service import NewKey, create_key
    from catalog.records.schema import open_database

    async def work() -> NewKey:
        async with open_database(read_settings()) as database, database.writing() as session:
            return await create_key(session, database.cipher, principal_for(tenant), COMMAND_LINE, secret)

    key = run(work(), tenant)
    if as_json:
        print_json(tenant=key.tenant, id=key.id, secret=key.secret)
    else:
        print_line(f"Added key {key.id} to tenant {key.tenant}; it signs from now on. Its secret, shown only once:")
        print_line(key.secret)


@app.command("list", epilog=epilog("darkroom key list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List the keys of a tenant, the newest first, without their secrets."""
    from catalog.keys.service import list_keys
    from catalog.records.schema import open_database

    async def work() -> "list[Key]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_keys(session, database.cipher, TenantName(tenant))

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom key retire acme 1"))
def retire(
    tenant: TenantArgument,
    key: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**31 - 1, help="ID of the key, see key list.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Retire a key: URLs that it signed are refused as soon as every server has read the keys again."""
    from catalog.keys.service import retire_key
    from catalog.records.schema import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await retire_key(session, principal_for(tenant), COMMAND_LINE, key)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, id=key, state="retired")
    else:
        print_line(f"Retired key {key} of tenant {tenant}.")


def _print(keys: "list[Key]", *, as_json: bool) -> None:
    for_people: list[tuple[object, ...]] = []
    for key in keys:
        created = key.created_at.isoformat(timespec="seconds")
        if as_json:
            print_json(id=key.id, fingerprint=key.fingerprint, state=key.state, created=created)
        for_people.append((key.id, key.fingerprint or "unreadable", key.state, f"created {created}"))
    if not as_json:
        print_table(*for_people)
