"""Migration of a database from revision to revision: in one transaction, by one process at a time.

Both databases have transactional DDL, so a failed migration leaves nothing behind. Concurrent migrations wait for each
other: on PostgreSQL for an advisory lock that ends with the transaction, on SQLite for the write lock of
`BEGIN IMMEDIATE`. The second one has nothing left to do.
"""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from catalog.records.database import Database
from catalog.records.encryption import SecretCipher
from catalog.records.migrations import HEAD, Migrated, read_version
from catalog.records.row_security import ApplicationRole, Secured, secure

_LOCK = 0x6461726B726F6F6D
"""Number of the advisory lock: "darkroom" in ASCII."""


async def migrate(database: Database, target: str = HEAD) -> Migrated:
    """Migrate the schema to `target` (a revision, or `base` for none), up or down, and secure its tables.

    A newer schema that supports this version is left as it is. Raise NotMigrated for one that does not.
    """
    return (await migrate_and_secure(database, None, target))[0]


async def migrate_and_secure(
    database: Database, application: ApplicationRole | None, target: str = HEAD
) -> tuple[Migrated, Secured]:
    """Migrate as `migrate` does, and let a role of the application use the tables under the policies.

    Raise Misconfigured if the role is missing and cannot be made.
    """
    async with database.writing() as session:
        connection = await session.connection()
        migrated = await connection.run_sync(_migrate, database.cipher, target)
        return migrated, await connection.run_sync(secure, application)


def _migrate(connection: Connection, cipher: SecretCipher, target: str) -> Migrated:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = read_version(connection)
    before = version.revision
    if version.is_newer:
        version.check_supported()
        return Migrated(before, str(before))
    if target == before:
        return Migrated(before, target)
    config = config_for(connection, cipher)
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    down = target == "base" or (before is not None and revisions.index(target) > revisions.index(before))
    (command.downgrade if down else command.upgrade)(config, target)
    return Migrated(before, target)


def config_for(connection: Connection, cipher: SecretCipher) -> Config:
    """Return the configuration Alembic would read from a file; migrations of secrets use the cipher."""
    config = Config(attributes={"connection": connection, "cipher": cipher})
    config.set_main_option("script_location", "catalog.records:migrations")
    config.set_main_option("path_separator", "os")
    return config
