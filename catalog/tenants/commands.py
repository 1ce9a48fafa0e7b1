"""`darkroom tenant`: owners of originals and keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import SECRET_FORMS, AsJson, TenantArgument, epilog, read_secret, read_span
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from catalog.settings import commands as rules
from catalog.settings.commands import delete_derivatives
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.tenants.service import TenantSummary

app = typer.Typer(help="Create, list and change tenants.", no_args_is_help=True)
app.add_typer(rules.app, name="rules")

_MOST_DIGITS = 15


@app.command(epilog=epilog("darkroom tenant create acme", "darkroom tenant create acme --secret file:acme.secret"))
def create(
    name: TenantArgument,
    secret: Annotated[
        str | None,
        typer.Option(
            parser=read_secret,
            metavar="SECRET",
            help=f"The first signing secret, 16 to 256 characters; generated if omitted. {SECRET_FORMS}.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Create a tenant and print its signing secret, which is not shown again."""
    from catalog.keys.service import NewKey
    from catalog.records.schema import open_database
    from catalog.tenants.service import create_tenant

    async def work() -> NewKey:
        async with open_database(read_settings()) as database, database.writing() as session:
            return await create_tenant(
                session, database.cipher, principal_for(name), COMMAND_LINE, TenantName(name), secret
            )

    key = run(work(), name)
    if as_json:
        print_json(tenant=key.tenant, secret=key.secret)
    else:
        print_line(f"Created tenant {key.tenant}. Its secret, shown only once:")
        print_line(key.secret)


@app.command("list", epilog=epilog("darkroom tenant list"))
def list_(*, as_json: AsJson = False) -> None:
    """List all tenants."""
    from catalog.records.schema import open_database
    from catalog.tenants.service import list_tenants

    async def work() -> "list[TenantSummary]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_tenants(session)

    _print(run(work()), as_json=as_json)


@app.command(epilog=epilog("darkroom tenant show acme"))
def show(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Show one tenant."""
    from catalog.records.schema import open_database
    from catalog.tenants.service import find_tenant

    async def work() -> "TenantSummary":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await find_tenant(session, TenantName(name))

    _print([run(work(), name)], as_json=as_json)


@app.command(
    "set",
    epilog=epilog(
        "darkroom tenant set acme --linear --hints",
        "darkroom tenant set acme --limit output_side=2048 --limit source_pixels=",
    ),
)
def set_(  # noqa: PLR0913 - one parameter per option
    name: TenantArgument,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A limit of the tenant; without a number it is reset."),
    ] = None,
    reference_ttl: Annotated[
        int | None,
        typer.Option(parser=read_span, metavar="SPAN", help="Time until a source is asked for changes: 30m, 1h, 7d."),
    ] = None,
    *,
    linear: Annotated[bool | None, typer.Option(help="Resize in linear light.")] = None,
    crisp: Annotated[bool | None, typer.Option(help="Sharpen slightly after downscaling.")] = None,
    wide: Annotated[
        bool | None, typer.Option(help="Keep colours beyond sRGB if format and client support them.")
    ] = None,
    hints: Annotated[bool | None, typer.Option(help="Apply client hints and Save-Data to auto images.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change the rules of a tenant; every server applies them within seconds.

    Changing linear, crisp or wide deletes the tenant's derivatives, because these rules are part of their keys.
    """
    from catalog.records.schema import open_database
    from catalog.settings.service import change_rules
    from catalog.tenants.service import find_tenant

    limits = dict(map(_read_limit, limit or ()))

    async def work() -> "TenantSummary":
        async with open_database(read_settings()) as database, database.writing() as session:
            before = await find_tenant(session, TenantName(name))
            await change_rules(
                session,
                principal_for(name),
                COMMAND_LINE,
                linear=linear,
                crisp=crisp,
                wide=wide,
                hints=hints,
                reference_ttl_s=reference_ttl,
                limits=limits,
            )
            after = await find_tenant(session, TenantName(name))
        if (after.linear, after.crisp, after.wide) != (before.linear, before.crisp, before.wide):
            await delete_derivatives(name)
        return after

    _print([run(work(), name)], as_json=as_json)


@app.command(epilog=epilog("darkroom tenant delete acme"))
def delete(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Delete a tenant that has no images, originals or unfinished jobs, with everything else that belongs to it.

    Its keys, tokens, presets, watermarks, sources and settings are gone for good; its audit trail is kept.
    """
    from catalog.records.schema import open_database
    from catalog.tenants.service import delete_tenant

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await delete_tenant(session, principal_for(name), COMMAND_LINE, TenantName(name))
        await delete_derivatives(name)

    run(work())
    if as_json:
        print_json(tenant=name, state="deleted")
    else:
        print_line(f"Deleted tenant {name}.")


@app.command(epilog=epilog("darkroom tenant purge acme"))
def purge(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Delete all derivatives of a tenant; they are rendered again on request. Originals are kept.

    Within seconds no server serves a derivative from before, even from its memory. Copies in a CDN or a browser stay
    until they are invalidated there.
    """
    from catalog.records.schema import open_database
    from catalog.tenants.service import begin_cache_epoch

    async def work() -> int:
        async with open_database(read_settings()) as database, database.writing() as session:
            # first, so that no server finds a derivative before its deletion and stores it again
            await begin_cache_epoch(session, principal_for(name), COMMAND_LINE)
        return await delete_derivatives(name)

    deleted = run(work(), name)
    if as_json:
        print_json(tenant=name, purged=deleted)
    else:
        print_line(f"Deleted {deleted} derivatives of tenant {name}.")


def _read_limit(text: str) -> tuple[str, int | None]:
    name, equals, number = text.partition("=")
    if not equals or (number and not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS)):
        raise typer.BadParameter(f"specify NAME=NUMBER, for example output_side=2048, not {text!r}")
    return name, int(number) if number else None


def _print(tenants: "list[TenantSummary]", *, as_json: bool) -> None:
    if as_json:
        for tenant in tenants:
            print_json(
                tenant=tenant.name,
                created=tenant.created_at.isoformat(timespec="seconds"),
                keys=tenant.keys,
                originals=tenant.originals,
                linear=tenant.linear,
                crisp=tenant.crisp,
                wide=tenant.wide,
                hints=tenant.hints,
                reference_ttl_s=tenant.reference_ttl_s,
                limits=tenant.limits,
            )
    else:
        print_table(*map(_row, tenants))


def _row(tenant: "TenantSummary") -> tuple[object, ...]:
    """Return the cells of a tenant, with the rules that differ from the defaults."""
    rules = [rule for rule in ("linear", "crisp", "wide", "hints") if getattr(tenant, rule)]
    limits = [f"{limit} {number}" for limit, number in tenant.limits.items()]
    created = f"created {tenant.created_at.isoformat(timespec='seconds')}"
    return tenant.name, created, f"keys {tenant.keys}", f"originals {tenant.originals}", *rules, *limits
