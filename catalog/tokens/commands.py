"""`darkroom token`: API tokens of a tenant."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_span, read_tenant
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Role, Scope
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.records.identity import Token
    from catalog.tokens.service import NewToken

app = typer.Typer(help="Create, list and revoke API tokens.", no_args_is_help=True)

_LONGEST_LIFE_S = 3_650 * 86_400
_LONGEST_NAME = 128


def read_role(text: str) -> Role:
    """Return the role of that name. Raise BadParameter if there is none."""
    try:
        return Role.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_life(text: str) -> int:
    """Return the seconds for which a token is valid. Raise BadParameter."""
    seconds = read_span(text)
    if not 0 < seconds <= _LONGEST_LIFE_S:
        raise typer.BadParameter("specify a span of 1s to 3650d")
    return seconds


def read_name(text: str) -> str:
    """Return a valid name of a token. Raise BadParameter otherwise."""
    if len(text) > _LONGEST_NAME or not text.isprintable():
        raise typer.BadParameter(f"specify at most {_LONGEST_NAME} printable characters")
    return text


TenantOption = Annotated[
    str, typer.Option("--tenant", parser=read_tenant, metavar="TENANT", help="Tenant that the token is for.")
]


@app.command(
    epilog=epilog(
        "darkroom token create --tenant acme --role editor",
        "darkroom token create --tenant acme --role contributor --name shop --expires 90d --scope upload --scope read",
    )
)
def create(  # noqa: PLR0913 - the options of a token
    tenant: TenantOption,
    role: Annotated[
        Role,
        typer.Option(parser=read_role, metavar="ROLE", help="viewer, contributor, editor, admin or operator."),
    ],
    name: Annotated[str, typer.Option(parser=read_name, metavar="NAME", help="What the token is for.")] = "",
    expires: Annotated[
        int | None,
        typer.Option(parser=read_life, metavar="SPAN", help="How long it is valid: 12h, 90d; forever if omitted."),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Narrow the token to a kind of action; may be repeated. Not narrowed if omitted."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Create an API token and print it; it is not shown again."""
    from datetime import timedelta

    from catalog.records.base import now
    from catalog.records.schema import open_database
    from catalog.records.tenant_lock import get_tenant
    from catalog.tokens.service import create_token

    expires_at = None if expires is None else now() + timedelta(seconds=expires)
    principal, scopes = principal_for(tenant), frozenset(scope or ())

    async def work() -> "NewToken":
        async with open_database(read_settings()) as database, database.writing() as session:
            await get_tenant(session, TenantName(tenant))
            return await create_token(
                session, principal, COMMAND_LINE, role=role, name=name, scopes=scopes, expires_at=expires_at
            )

    token = run(work(), tenant)
    if as_json:
        print_json(id=token.row.id, token=token.text)
    else:
        print_line(f"Created token {token.row.id} of tenant {tenant} with the role {role.label}. Shown only once:")
        print_line(token.text)


@app.command("list", epilog=epilog("darkroom token list --tenant acme"))
def list_(
    tenant: TenantOption,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Tokens to list.")] = 1_000,
    *,
    as_json: AsJson = False,
) -> None:
    """List the tokens of a tenant, the newest first, without their secrets."""
    from catalog.records.schema import open_database
    from catalog.records.tenant_lock import get_tenant
    from catalog.tokens.service import list_tokens

    async def work() -> "Sequence[Token]":
        async with open_database(read_settings()) as database, database.reading() as session:
            await get_tenant(session, TenantName(tenant))
            return await list_tokens(session, TenantName(tenant), limit)

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom token revoke --tenant acme 4fQ2mXb81LsA"))
def revoke(
    tenant: TenantOption,
    token: Annotated[str, typer.Argument(metavar="ID", help="ID of the token, see token list.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a token: it stops working on every server within five seconds."""
    from catalog.records.schema import open_database
    from catalog.records.tenant_lock import get_tenant
    from catalog.tokens.service import revoke_token

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await get_tenant(session, TenantName(tenant))
            await revoke_token(session, principal_for(tenant), COMMAND_LINE, token)

    run(work(), tenant)
    if as_json:
        print_json(id=token, state="revoked")
    else:
        print_line(f"Revoked token {token} of tenant {tenant}.")


def _print(rows: "Sequence[Token]", *, as_json: bool) -> None:
    from catalog.tokens.schemas import view_of

    if as_json:
        for row in rows:
            print_json(**view_of(row).model_dump(mode="json"))
    else:
        print_table(*(_cells(row) for row in rows))


def _cells(row: "Token") -> tuple[object, ...]:
    """Return a row of the table for people."""
    scopes = ",".join(row.scopes) or "all scopes"
    expires = "never expires" if row.expires_at is None else f"expires {row.expires_at.isoformat(timespec='seconds')}"
    state = expires if row.revoked_at is None else f"revoked {row.revoked_at.isoformat(timespec='seconds')}"
    return row.id, row.role, scopes, row.name, state
