"""`darkroom migrate` and `darkroom doctor`: the schema of the database, and a check of the installation."""

from typing import TYPE_CHECKING

import typer

from catalog.cli.arguments import AsJson, epilog
from catalog.cli.exit_codes import Exit
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.settings import read_settings, run

if TYPE_CHECKING:
    from catalog.maintenance.doctor import Finding
    from catalog.records.migrations import Migrated


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=epilog("darkroom migrate"))(migrate)
    app.command(epilog=epilog("darkroom doctor", "darkroom doctor --json"))(doctor)


def migrate(*, as_json: AsJson = False) -> None:
    """Migrate the database to the schema of this version.

    It is safe to repeat, and to run on several machines at once. A newer schema that supports this version is left as
    it is.
    """
    from catalog.records.database import MIGRATION_TIMEOUT_S, connect_database
    from catalog.records.migrations import upgrade

    async def work() -> "Migrated":
        async with connect_database(read_settings(), command_timeout_s=MIGRATION_TIMEOUT_S) as database:
            return await upgrade.migrate(database)

    migrated = run(work())
    if as_json:
        print_json(**{"from": migrated.before, "to": migrated.after})
    elif migrated.before == migrated.after:
        print_line(f"The database is already at revision {migrated.after}.")
    else:
        print_line(f"Migrated the database from {migrated.before or 'empty'} to revision {migrated.after}.")


def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, clock, libvips, extras, sandbox, store, cache and database.

    Each problem is printed with advice. The exit code is 1 if a check fails.
    """
    from catalog.maintenance.doctor import examine

    findings = run(examine(read_settings()))
    if as_json:
        for finding in findings:
            print_json(check=finding.check, state=finding.state, message=finding.message, advice=finding.advice)
    else:
        print_table(*map(_row, findings))
    raise typer.Exit(Exit.REFUSED if any(finding.state == "fail" for finding in findings) else Exit.FINE)


def _row(finding: "Finding") -> tuple[object, ...]:
    message = f"{finding.message}\n→ {finding.advice}" if finding.advice else finding.message
    return finding.state, finding.check, message
