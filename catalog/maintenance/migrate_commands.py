"""`darkroom migrate`: the database's tables become this version's."""

from typing import TYPE_CHECKING

import typer

from catalog.cli.output import AsJson, ending, read_settings, run, say, say_json

if TYPE_CHECKING:
    from catalog.records.migrations import Migrated


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending("darkroom migrate"))(migrate)


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database to this version.

    Safe to repeat, and to run from several machines at once.
    """
    from catalog.records.database import MIGRATION_TIMEOUT_S, connect_database
    from catalog.records.migrations import upgrade

    async def work() -> "Migrated":
        async with connect_database(read_settings(), command_timeout_s=MIGRATION_TIMEOUT_S) as database:
            return await upgrade.migrate(database)

    done = run(work())
    if as_json:
        say_json(**{"from": done.before, "to": done.after})
    elif done.before == done.after:
        say(f"The database is at revision {done.after} already.")
    else:
        say(f"The database went from {done.before or 'empty'} to revision {done.after}.")
