"""The catalog's database: SQLite in the home folder, or PostgreSQL.

Theory. SQLite has one writer at a time. A transaction that begins as a reader and then writes fails at once if another
has written in between, whatever `busy_timeout` is. A transaction that writes therefore begins with `BEGIN IMMEDIATE`
and waits for the write lock. Python's sqlite3 begins transactions implicitly; that is turned off
(`isolation_level=None`), and transactions are begun explicitly, which also makes DDL transactional. In WAL mode readers
do not wait for the writer.

On PostgreSQL a plain transaction serves both, and reaches the rows of its tenant alone (`tenant_scope`). The pool is
small, because only the catalog and the refresh of tenants use it. A ping before the checkout of a connection that was
idle costs one round trip and saves an error after every failover; one that was used a moment ago is not asked.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asyncpg import InterfaceError as AsyncpgInterfaceError
from asyncpg import InternalClientError, PostgresError
from sqlalchemy import Row, Select, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from catalog.core.errors import Misconfigured
from catalog.records import tables as _tables  # noqa: F401 - foreign keys are resolved when all tables are known
from catalog.records.encryption import SecretCipher, open_cipher
from catalog.records.home import make_private_database, make_private_folder
from catalog.records.postgresql import CONNECT_TIMEOUT_S, create_postgresql_engine
from proxy.core.errors import Unavailable
from proxy.settings import Settings

COMMAND_TIMEOUT_S = 10.0
MIGRATION_TIMEOUT_S = 600.0
POOL_SIZE = 5

_BEGIN = "darkroom_begin"
_STATEMENT_ERRORS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""Errors of a statement; every other error means that the database is unavailable."""


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections, the two kinds of transaction, and the cipher for secrets in columns."""

    engine: AsyncEngine
    cipher: SecretCipher = field(repr=False)

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite: a file of this installation, which is migrated when it is opened."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session for one transaction that only reads. Raise Unavailable if the database does not answer."""
        with translated_errors():
            async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open a session for one transaction that writes: committed at the end, or rolled back as a whole.

        Raise Unavailable if the database does not answer. An IntegrityError passes through; the service translates it.
        """
        with translated_errors():
            writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            async with AsyncSession(writer, expire_on_commit=False) as session, session.begin():
                yield session

    async def fetch_one(self, statement: Select[Any], parameters: Mapping[str, Any]) -> Row[Any] | None:
        """Run one statement in a transaction of its own, without the cost of a session; return its only row, or None.

        Raise Unavailable if the database does not answer.
        """
        with translated_errors():
            async with self.engine.connect() as connection:
                row: Row[Any] | None = (await connection.execute(statement, parameters)).one_or_none()
                return row

    async def ping(self) -> None:
        """Return if the database answers. Raise Unavailable otherwise."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate the errors of an unavailable database to Unavailable; drivers raise their own errors on connect."""
    try:
        yield
    except _STATEMENT_ERRORS:
        raise
    except (DBAPIError, PoolTimeout, PostgresError, AsyncpgInterfaceError, InternalClientError, OSError) as error:
        # The message is public. Addresses and accounts are only in the cause, for logs and the command line.
        raise Unavailable("The database does not answer.") from error


@asynccontextmanager
async def connect_database(
    settings: Settings, *, command_timeout_s: float = COMMAND_TIMEOUT_S
) -> AsyncIterator[Database]:
    """Return the database without checking its schema; the first transaction connects.

    Raise Misconfigured if the URL or the encryption keys are invalid, Unavailable if the home folder is unusable.
    """
    url = database_url(settings)
    embedded = url.get_backend_name() == "sqlite"
    with translated_errors():
        if embedded:
            make_private_folder(settings.home)
            _make_private(url)
        cipher = open_cipher(settings, embedded=embedded)
    engine = _sqlite(url) if embedded else create_postgresql_engine(url, command_timeout_s)
    try:
        yield Database(engine, cipher)
    finally:
        await engine.dispose()


def _make_private(url: URL) -> None:
    """Restrict the file of a SQLite URL to its owner; a database in memory has none."""
    if url.database and url.database != ":memory:":
        make_private_database(Path(url.database))


def database_url(settings: Settings) -> URL:
    """Return the URL with its asynchronous driver. Raise Misconfigured for any other database."""
    if not settings.database_url:
        return make_url("sqlite+aiosqlite://").set(database=str(settings.home / "darkroom.db"))
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError) as error:
        raise Misconfigured(
            "DARKROOM_DATABASE_URL is not a URL: specify postgresql+asyncpg://user@host/database."
        ) from error
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    backend = drivers.get(url.get_backend_name())
    if backend is None:
        raise Misconfigured(
            "DARKROOM_DATABASE_URL names an unsupported database: specify postgresql+asyncpg:// or sqlite+aiosqlite://."
        )
    return url.set(drivername=backend)


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={"isolation_level": None, "timeout": CONNECT_TIMEOUT_S},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI connections are untyped
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode")
    # Switching needs exclusive access and does not wait for it; the mode is stored in the file.
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
