"""Connections to PostgreSQL whose transactions begin with their tenant and their deadlines.

`BEGIN` and the settings are one message, so they cost no further round trip. They are local to the transaction: a
connection that goes back to the pool, ours or a PgBouncer's, keeps nothing of them.
"""

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from catalog.records.tenant_scope import current_scope

if TYPE_CHECKING:
    from asyncpg import Connection
else:
    Connection = asyncpg.Connection

CONNECT_TIMEOUT_S: Final = 5.0
IDLE_TIMEOUT_S: Final = 60.0
"""How long a transaction may hold its locks without a statement; then the server ends the connection."""
_POOL_SIZE: Final = 5
_POOL_OVERFLOW: Final = 5
_IDLE_S: Final = 1.0
"""A connection that was used within this time is not asked whether it is alive."""
_RECYCLE_S: Final = 1_800
"""Shorter than the time after which most firewalls drop an idle connection."""


def create_postgresql_engine(url: URL, command_timeout_s: float, idle_timeout_s: float = IDLE_TIMEOUT_S) -> AsyncEngine:
    """Return an engine whose transactions carry the tenant of their task.

    A statement that takes longer than `command_timeout_s` is ended by the server, even if this process is gone.
    """
    engine = create_async_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_recycle=_RECYCLE_S,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout_s,
            "server_settings": {"application_name": "darkroom"},
            "connection_class": _scoped_connection(command_timeout_s, idle_timeout_s),
        },
    )
    event.listen(engine.sync_engine, "checkout", _ping_idle)
    event.listen(engine.sync_engine, "checkin", _note_use)
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_s"] = monotonic()


def _ping_idle(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401 - DBAPI connections are untyped
    """Ask a connection that was idle. If it is gone, raise InvalidatePoolError: the pool connects again."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    if monotonic() - record.info.get("used_s", monotonic()) < _IDLE_S:
        return
    try:
        connection.ping()
    except Exception as error:
        raise InvalidatePoolError from error


def _scoped_connection(statement_timeout_s: float, idle_timeout_s: float) -> type[Connection]:
    """Return a class of connections that add the settings to each `BEGIN`."""
    deadlines = (
        f"SET LOCAL statement_timeout = {round(statement_timeout_s * 1_000)};"
        f"SET LOCAL idle_in_transaction_session_timeout = {round(idle_timeout_s * 1_000)};"
    )

    class ScopedConnection(Connection):  # type: ignore[misc]
        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's signature
            if query.startswith("BEGIN"):
                # the scope has been checked to be a tenant's name, so it needs no quoting
                query = f"{query}{deadlines}SET LOCAL app.tenant = '{current_scope()}';"
            status: str = await super().execute(query, *args, timeout=timeout)
            return status

    return ScopedConnection
