"""`darkroom key`: a tenant's signing secrets and their rotation."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.keys.service import Key

app = typer.Typer(help="Rotate a tenant's keys.", no_args_is_help=True)


@app.command(epilog=ending("darkroom key add acme"))
def add(
    tenant: TenantArgument,
    secret: Annotated[
        str | None, typer.Option(help="The secret, 16 to 256 characters; made for you if left out.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a key, which signs from now on, and print its secret, which is not shown again."""
    from catalog.keys.service import NewKey, create_key
    from catalog.records.database import open_database

    async def work() -> NewKey:
        async with open_database(read_settings()) as database:
            return await create_key(database, TenantName(tenant), secret)

    made = run(work())
    if as_json:
        say_json(tenant=made.tenant, id=made.id, secret=made.secret)
    else:
        say(f"Key {made.id} of tenant {made.tenant} signs from now on. Its secret, shown this once:")
        say(made.secret)


@app.command("list", epilog=ending("darkroom key list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List a tenant's keys, the newest first; never their secrets."""
    from catalog.keys.service import list_keys
    from catalog.records.database import open_database

    async def work() -> "list[Key]":
        async with open_database(read_settings()) as database:
            return await list_keys(database, TenantName(tenant))

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom key retire acme 1"))
def retire(
    tenant: TenantArgument,
    key: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**31 - 1, help="The key's id, see key list.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Retire a key: URLs that it signed are refused once every server has read the keys again."""
    from catalog.keys.service import retire_key
    from catalog.records.database import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await retire_key(database, TenantName(tenant), key)

    run(work())
    if as_json:
        say_json(tenant=tenant, id=key, state="retired")
    else:
        say(f"Key {key} of tenant {tenant} is retired.")


def _tell(keys: "list[Key]", *, as_json: bool) -> None:
    signing = next((one for one in keys if one.retired_at is None), None)
    states = ("retired" if one.retired_at else "signs" if one is signing else "verifies" for one in keys)
    rows = [(one.id, one.fingerprint, state, _date(one)) for one, state in zip(keys, states, strict=True)]
    if as_json:
        for key, fingerprint, state, created in rows:
            say_json(id=key, fingerprint=fingerprint, state=state, created=created)
    else:
        say_table(*((key, mark, state, f"created {created}") for key, mark, state, created in rows))


def _date(one: "Key") -> str:
    return one.created_at.isoformat(timespec="seconds")
