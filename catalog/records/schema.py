"""The schema of an open database: its version, and whether this version of the code works with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from catalog.core.errors import NotMigrated
from catalog.records.database import Database, connect_database
from catalog.records.migrations import HEAD, SchemaVersion, read_version
from proxy.settings import Settings

log = structlog.get_logger("darkroom.schema")


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database with a schema this version works with: SQLite is migrated, PostgreSQL must have been.

    Raise Unavailable if the database does not answer, NotMigrated if its schema does not fit.
    """
    async with connect_database(settings) as database:
        await ensure_schema(database)
        yield database


async def find_version(database: Database) -> SchemaVersion:
    """Return the version of the database's schema."""
    async with database.reading() as session:
        return await (await session.connection()).run_sync(read_version)


async def ensure_schema(database: Database) -> None:
    """Return if the schema fits this version, after migrating an older SQLite database.

    A newer schema is accepted if its migrations declare it compatible with this version, so that servers of the last
    release can restart while the next one is rolled out. Raise NotMigrated otherwise.
    """
    version = await find_version(database)
    if version.revision == HEAD:
        return
    if version.is_newer:
        version.check_supported()
        log.warning("the database has a newer schema than this version", revision=version.revision, head=HEAD)
        return
    if not database.embedded:
        raise NotMigrated(
            f"The database is at revision {version.revision or 'none'}, not {HEAD}: run darkroom migrate."
        )
    from catalog.records.migrations.upgrade import migrate  # noqa: PLC0415 - Alembic takes 0.3 s to import

    await migrate(database)
