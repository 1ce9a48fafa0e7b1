"""The catalog's database: SQLite in the home folder, or PostgreSQL.

Theory. SQLite has one writer at a time. A transaction that begins as a reader and then writes fails at once when
another has written in between, whatever `busy_timeout` says; so a transaction that will write says so when it
begins (`BEGIN IMMEDIATE`) and queues. Python's sqlite3 would begin transactions by guesswork: we turn that off
(`isolation_level=None`) and begin them ourselves, which also makes DDL transactional. WAL lets readers go on beside
the writer.

On PostgreSQL a plain transaction is right for both; the pool is small, because only the catalog and the refreshing
of tenants ever wait here. A ping before each checkout costs one round trip and saves a refusal after every
failover.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from asyncpg import InterfaceError as AsyncpgInterfaceError
from asyncpg import PostgresError
from sqlalchemy import event, text
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
from catalog.records.migrations import ensure
from proxy.core.errors import Unavailable
from proxy.settings import Settings

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
MIGRATION_TIMEOUT_S = 600.0
POOL_SIZE = 5
POOL_OVERFLOW = 5
RECYCLE_S = 1_800
"""Before most firewalls forget an idle connection."""

_BEGIN = "darkroom_begin"
_OURS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""What a statement of ours did wrong; every other failure is the database's."""


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections and the two ways to use one."""

    engine: AsyncEngine

    @property
    def embedded(self) -> bool:
        """SQLite: a file of our own, which we migrate without being asked."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session for one transaction that only reads; `Unavailable` when the database is out."""
        with translated():
            async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open a session for one transaction that writes: committed at the end, or rolled back as a whole.

        `Unavailable` when the database is out; an IntegrityError is the use case's own to name.
        """
        with translated():
            writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            async with AsyncSession(writer, expire_on_commit=False) as session, session.begin():
                yield session

    async def ping(self) -> None:
        """Return when the database answers; `Unavailable` otherwise."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))


@contextmanager
def translated() -> Iterator[None]:
    """Turn the failures of a database that is out into `Unavailable`; connecting raises the driver's own, unwrapped."""
    try:
        yield
    except _OURS:
        raise
    except (DBAPIError, PoolTimeout, PostgresError, AsyncpgInterfaceError, OSError) as error:
        # The sentence is public: addresses and accounts stay in the cause, which logs and the command line tell.
        raise Unavailable("The database does not answer.") from error


@asynccontextmanager
async def connect_database(
    settings: Settings, *, command_timeout_s: float = COMMAND_TIMEOUT_S
) -> AsyncIterator[Database]:
    """Give the database as it is, without a look at its schema; nothing is connected before the first transaction."""
    url = database_url(settings)
    if url.get_backend_name() == "sqlite":
        with translated():
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = _sqlite(url)
    else:
        engine = _postgresql(url, command_timeout_s)
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database with this version's schema: SQLite is migrated on the way, PostgreSQL must have been.

    Raises `Unavailable` when it does not answer, `NotMigrated` when `darkroom migrate` has to be run first.
    """
    async with connect_database(settings) as database:
        await ensure(database)
        yield database


def database_url(settings: Settings) -> URL:
    """Give the URL with its asynchronous driver; Misconfigured when it is none of the two databases."""
    if not settings.database_url:
        return make_url("sqlite+aiosqlite://").set(database=str(settings.home / "darkroom.db"))
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError) as error:
        raise Misconfigured("DARKROOM_DATABASE_URL is no URL; it looks like postgresql+asyncpg://…") from error
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    backend = drivers.get(url.get_backend_name())
    if backend is None:
        raise Misconfigured(
            "DARKROOM_DATABASE_URL begins with postgresql+asyncpg:// or sqlite+aiosqlite://, nothing else"
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


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI connections have no type
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode")
    # To switch needs the file for itself, and does not wait for it: once switched, it stays.
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _postgresql(url: URL, command_timeout_s: float) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_recycle=RECYCLE_S,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout_s,
            "server_settings": {"application_name": "darkroom"},
        },
    )
