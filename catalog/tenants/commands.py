"""`darkroom tenant`: owners of originals and keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.tenants.service import TenantSummary

app = typer.Typer(help="Create, list and show tenants.", no_args_is_help=True)


def read_span(text: str) -> int:
    """Read 90s, 30m, 1h or 7d into seconds."""
    from catalog.images.url_builder import SECONDS

    number, unit = text[:-1], text[-1:]
    if unit not in SECONDS or not (number.isascii() and number.isdigit() and len(number) < 10):  # noqa: PLR2004 - digits
        raise typer.BadParameter("say a span like 90s, 30m, 1h or 7d")
    return int(number) * SECONDS[unit]


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
    from catalog.keys.service import NewKey
    from catalog.records.database import open_database
    from catalog.tenants.service import create_tenant

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
    from catalog.records.database import open_database
    from catalog.tenants.service import list_tenants

    async def work() -> "list[TenantSummary]":
        async with open_database(read_settings()) as database:
            return await list_tenants(database)

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom tenant show acme"))
def show(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Show one tenant."""
    from catalog.records.database import open_database
    from catalog.tenants.service import find_tenant

    async def work() -> "TenantSummary":
        async with open_database(read_settings()) as database:
            return await find_tenant(database, TenantName(name))

    _tell([run(work())], as_json=as_json)


@app.command(
    "set",
    epilog=ending(
        "darkroom tenant set acme --linear --hints",
        "darkroom tenant set acme --limit output_side=2048 --limit source_pixels=",
    ),
)
def set_(  # noqa: PLR0913 - an option each
    name: TenantArgument,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A limit of its own; without a number the installation's again."),
    ] = None,
    reference_ttl: Annotated[
        int | None,
        typer.Option(parser=read_span, metavar="SPAN", help="How long a referenced source is trusted: 90s, 30m, 1h."),
    ] = None,
    *,
    linear: Annotated[bool | None, typer.Option(help="Resize in linear light.")] = None,
    crisp: Annotated[bool | None, typer.Option(help="Sharpen a little what is made smaller.")] = None,
    wide: Annotated[bool | None, typer.Option(help="Keep colours beyond sRGB, where format and client can.")] = None,
    hints: Annotated[bool | None, typer.Option(help="Let client hints and Save-Data shape auto pictures.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change how a tenant wants its pictures; every server follows within seconds.

    Linear, crisp and wide are part of a picture's name: what was made the other way is deleted.
    """
    from catalog.records.database import open_database
    from catalog.tenants.rules import change_rules
    from catalog.tenants.service import find_tenant

    limits = dict(map(_read_limit, limit or ()))

    async def work() -> "TenantSummary":
        async with open_database(read_settings()) as database:
            before = await find_tenant(database, TenantName(name))
            await change_rules(
                database,
                TenantName(name),
                linear=linear,
                crisp=crisp,
                wide=wide,
                hints=hints,
                reference_ttl_s=reference_ttl,
                limits=limits,
            )
            now = await find_tenant(database, TenantName(name))
        if (now.linear, now.crisp, now.wide) != (before.linear, before.crisp, before.wide):
            await _delete_derivatives(name)
        return now

    _tell([run(work())], as_json=as_json)


@app.command(epilog=ending("darkroom tenant purge acme"))
def purge(name: TenantArgument, *, as_json: AsJson = False) -> None:
    """Delete all derivatives of a tenant; they are made again when they are asked for. Originals stay.

    Every server follows within seconds: what it has in its memory, or is writing just now, is not served any more.
    What a CDN or a browser has stays there until it is invalidated.
    """
    from catalog.records.database import open_database
    from catalog.tenants.service import begin_cache_epoch

    async def work() -> int:
        async with open_database(read_settings()) as database:
            await begin_cache_epoch(
                database, TenantName(name)
            )  # before: what is deleted must not be found and kept again
        return await _delete_derivatives(name)

    gone = run(work())
    if as_json:
        say_json(tenant=name, purged=gone)
    else:
        say(f"{gone} derivatives of {name} are gone.")


async def _delete_derivatives(name: str) -> int:
    """Delete what no server asks for any more, once it knows the tenant's new rules or cache_epoch."""
    from proxy.backends import open_backends

    async with open_backends(read_settings()) as backends:
        return await backends.derivatives.purge(TenantName(name))


def _read_limit(text: str) -> tuple[str, int | None]:
    name, equals, number = text.partition("=")
    if not equals or (number and not (number.isascii() and number.isdigit() and len(number) < 16)):  # noqa: PLR2004 - digits
        raise typer.BadParameter(f"say NAME=NUMBER, for example output_side=2048, not {text!r}")
    return name, int(number) if number else None


def _tell(tenants: "list[TenantSummary]", *, as_json: bool) -> None:
    if as_json:
        for one in tenants:
            say_json(
                tenant=one.name,
                created=one.created_at.isoformat(timespec="seconds"),
                keys=one.keys,
                originals=one.originals,
                linear=one.linear,
                crisp=one.crisp,
                wide=one.wide,
                hints=one.hints,
                reference_ttl_s=one.reference_ttl_s,
                limits=one.limits,
            )
    else:
        say_table(
            *(
                (
                    one.name,
                    f"created {one.created_at.isoformat(timespec='seconds')}",
                    f"keys {one.keys}",
                    f"originals {one.originals}",
                    *_rules(one),
                )
                for one in tenants
            )
        )


def _rules(one: "TenantSummary") -> list[str]:
    """Name the rules that are not the usual ones."""
    said = [rule for rule in ("linear", "crisp", "wide", "hints") if getattr(one, rule)]
    return said + [f"{limit} {number}" for limit, number in one.limits.items()]
