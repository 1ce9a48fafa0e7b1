"""`darkroom tenant`: owners of originals and keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.shell import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from proxy.core.names import TenantName

if TYPE_CHECKING:
    from catalog.tenants import TenantSummary

app = typer.Typer(help="Create, list and show tenants.", no_args_is_help=True)


@app.command(epilog=ending("darkroom tenant create acme", "darkroom tenant create acme --json"))
def create(
    name: TenantArgument,
    secret: Annotated[
        str | None, typer.Option(help="Its first signing secret, 16 to 256 characters; made for you if left out.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Create a tenant and print its signing secret, which is not shown again."""
    from catalog.database import open_database
    from catalog.tenants import NewKey, create_tenant

    async def work() -> NewKey:
        async with open_database(read_settings()) as database:
            return await create_tenant(database, TenantName(name), secret)

    made = run(work())
    if as_json:
        say_json(tenant=made.tenant, secret=made.secret)
    else:
        say(f"Tenant {made.tenant} is created. Its secret, shown this once:")
        say(made.secret)


@app.command("list", epilog=ending("darkroom tenant list"))
def list_(*, as_json: AsJson = False) -> None:
    """List the tenants."""
    from catalog.database import open_database
    from catalog.tenants import list_tenants

    async def work() -> "list[TenantSummary]":
        async with open_database(read_settings()) as database:
            return await list_tenants(database)

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom tenant show acme"))
def show(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Show one tenant."""
    from catalog.database import open_database
    from catalog.tenants import find_tenant

    async def work() -> "TenantSummary":
        async with open_database(read_settings()) as database:
            return await find_tenant(database, TenantName(name))

    _tell([run(work())], as_json=as_json)


def _tell(tenants: "list[TenantSummary]", *, as_json: bool) -> None:
    rows = [(one.name, one.created_at.isoformat(timespec="seconds"), one.keys, one.originals) for one in tenants]
    if as_json:
        for name, created, keys, originals in rows:
            say_json(tenant=name, created=created, keys=keys, originals=originals)
    else:
        say_table(*((name, f"created {created}", f"keys {k}", f"originals {o}") for name, created, k, o in rows))
