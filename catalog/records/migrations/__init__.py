"""The schema's history, inside the package: an installed wheel migrates without any file beside it.

`HEAD` is the revision this version works with. Reading the revision that a database is at takes no Alembic, so a
start that finds everything in order does not pay for importing it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from catalog.core.errors import NotMigrated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from catalog.records.database import Database

HEAD = "0012"


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did; `before` is None for a database that was empty."""

    before: str | None
    after: str


async def find_revision(database: "Database") -> str | None:
    """Tell the revision the database is at, None before its first migration."""
    async with database.reading() as session:
        return await (await session.connection()).run_sync(read_revision)


def read_revision(connection: "Connection") -> str | None:
    """Read the revision inside a transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


async def ensure(database: "Database") -> None:
    """Return when the schema is this version's: SQLite is migrated, anything else refuses with NotMigrated."""
    revision = await find_revision(database)
    if revision == HEAD:
        return
    if not database.embedded:
        raise NotMigrated(f"The database is at revision {revision or 'none'}, not {HEAD}: run darkroom migrate.")
    from catalog.records.migrations.upgrade import migrate  # noqa: PLC0415 - Alembic costs a start 0.3 s, a migrated one none

    await migrate(database)
