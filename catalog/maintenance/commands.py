"""`darkroom migrate` and `darkroom doctor`: the schema of the database, and a check of the installation."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import SECRET_FORMS, AsJson, epilog, read_secret
from catalog.cli.exit_codes import Exit
from catalog.cli.output import print_json, print_line, print_stderr, print_table
from catalog.cli.settings import read_settings, run

if TYPE_CHECKING:
    from catalog.maintenance.doctor import Finding


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=epilog("darkroom migrate", "darkroom migrate --database-url env:OWNER_URL"))(migrate)
    app.command(epilog=epilog("darkroom doctor", "darkroom doctor --json"))(doctor)


def migrate(
    database_url: Annotated[
        str | None,
        typer.Option(
            parser=read_secret,
            metavar="URL",
            help="Database URL of the owner of the tables; DARKROOM_MIGRATION_DATABASE_URL if omitted. "
            f"{SECRET_FORMS}.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Migrate the database to the schema of this version.

    It is safe to repeat, and to run on several machines at once. A newer schema that supports this version is left as
    it is. On PostgreSQL, row-level security is set up; where the owner of the tables is another role than that of
    DARKROOM_DATABASE_URL, the latter is created if it is missing, and may use the tables.
    """
    from catalog.maintenance.migration import migrate_installation

    migrated, secured = run(migrate_installation(read_settings(migration_database_url=database_url)))
    if as_json:
        print_json(**{"from": migrated.before, "to": migrated.after, "roles": secured.roles})
    elif migrated.before == migrated.after:
        print_line(f"The database is already at revision {migrated.after}.")
    else:
        print_line(f"Migrated the database from {migrated.before or 'empty'} to revision {migrated.after}.")
    if secured.roles and not as_json:
        print_line(f"Row-level security restricts: {', '.join(secured.roles)}.")
    if secured.left_alone:
        print_stderr(
            f"Row-level security is not set up: {', '.join(secured.left_alone)} may be used by servers of an older "
            "version. Set DARKROOM_MIGRATION_DATABASE_URL, and repeat this when all run this version."
        )


def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, clock, libvips, extras, sandbox, store, cache, database and isolation of tenants.

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
