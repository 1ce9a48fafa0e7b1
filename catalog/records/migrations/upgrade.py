"""Moving a database from revision to revision: one transaction, one process at a time.

Both databases have transactional DDL, so a migration that fails leaves nothing behind. Two processes that migrate
at once queue: on PostgreSQL for an advisory lock that the transaction's end releases, on SQLite for the write lock
that `BEGIN IMMEDIATE` took. The second finds nothing left to do.
"""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from catalog.core.errors import NotMigrated
from catalog.records.database import Database
from catalog.records.migrations import HEAD, Migrated, read_revision

_LOCK = 0x6461726B726F6F6D
"""The advisory lock's number: "darkroom" in ASCII."""


async def migrate(database: Database, target: str = HEAD) -> Migrated:
    """Bring the schema to `target` (a revision, or `base` for none), up or down.

    Raises `NotMigrated` when the database is at a revision that this version has never heard of.
    """
    async with database.writing() as session:
        connection = await session.connection()
        return await connection.run_sync(_migrate, target)


def _migrate(connection: Connection, target: str) -> Migrated:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    before = read_revision(connection)
    config = config_for(connection)
    known = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    if before is not None and before not in known:
        raise NotMigrated(f"The database is at revision {before}, newer than this version: install a newer darkroom.")
    if target == before:
        return Migrated(before, target)
    down = target == "base" or (before is not None and known.index(target) > known.index(before))
    (command.downgrade if down else command.upgrade)(config, target)
    return Migrated(before, target)


def config_for(connection: Connection) -> Config:
    """Give Alembic what it would read from an ini file."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "catalog.records:migrations")
    config.set_main_option("path_separator", "os")
    return config
