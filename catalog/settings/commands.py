"""`darkroom tenant rules`: all settings of a tenant as one JSON document, the same as `GET` and `PUT /api/settings`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import TenantArgument, epilog
from catalog.cli.output import print_line
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.settings.schemas import SettingsDocument
    from catalog.settings.service import OwnSettings

app = typer.Typer(help="Show or replace all settings of a tenant, as JSON.", no_args_is_help=True)

LONGEST_DOCUMENT = 2**20
"""Characters that are read of a document."""


@app.command(epilog=epilog("darkroom tenant rules show acme > acme.json"))
def show(tenant: TenantArgument) -> None:
    """Print all settings of a tenant: limits, rendering, uploads, retention, CORS and the rest."""
    from catalog.records.schema import open_database
    from catalog.settings.service import read_settings as read_own

    async def work() -> "OwnSettings":
        async with open_database(read_settings()) as database, database.reading() as session:
            return (await read_own(session, TenantName(tenant))).own

    _print(run(work(), tenant))


@app.command("set", epilog=epilog("darkroom tenant rules set acme acme.json", "darkroom tenant rules set acme -"))
def set_(
    tenant: TenantArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The document, or - for standard input.")],
) -> None:
    """Replace all settings of a tenant by those of a document; what it leaves out has its default.

    Every server applies them within seconds. Other rendering deletes the tenant's derivatives.
    """
    from catalog.records.schema import open_database
    from catalog.settings.service import lock_settings, replace_settings

    document = _parse(_read(file))

    async def work() -> "OwnSettings":
        async with open_database(read_settings()) as database, database.writing() as session:
            before = await lock_settings(session, TenantName(tenant))
            stored = await replace_settings(session, principal_for(tenant), COMMAND_LINE, document.to_settings())
        if stored.own.rendering != before.own.rendering:
            await delete_derivatives(tenant)
        return stored.own

    _print(run(work(), tenant))


async def delete_derivatives(tenant: str) -> int:
    """Delete derivatives that no server requests any more once it has read the tenant again; return their number."""
    from proxy.backends import open_backends

    async with open_backends(read_settings()) as backends:
        return await backends.derivatives.purge(TenantName(tenant))


def _read(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read(LONGEST_DOCUMENT + 1)
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(LONGEST_DOCUMENT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot read {file}: {error}") from None


def _parse(text: str) -> "SettingsDocument":
    """Return the document. Raise BadParameter for text that is not JSON, ValidationFailed for invalid settings."""
    import json
    from typing import Any

    from pydantic import ValidationError

    from catalog.api.problems import to_field_errors
    from catalog.core.api_errors import ValidationFailed
    from catalog.settings.schemas import SettingsDocument

    if len(text) > LONGEST_DOCUMENT:
        raise typer.BadParameter(f"the document has more than {LONGEST_DOCUMENT} characters")
    try:
        return SettingsDocument.model_validate(json.loads(text))
    except ValidationError as error:
        errors: Any = [dict(fault) | {"loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise ValidationFailed(to_field_errors(errors)) from None
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"the document is not JSON: {error}") from None


def _print(own: "OwnSettings") -> None:
    from catalog.settings.schemas import document_of

    print_line(document_of(own).model_dump_json(indent=2))
