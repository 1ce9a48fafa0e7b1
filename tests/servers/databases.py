"""Databases on a PostgreSQL server: created as copies of a template, dropped after use."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

_STRATEGY_SINCE = 15
"""The first version of PostgreSQL with `CREATE DATABASE … STRATEGY`."""
EMPTY = "template0"
PASSWORD = "a-password-of-tests"


@dataclass(frozen=True, slots=True)
class Databases:
    """Creates and drops databases over one connection."""

    server_url: str
    connection: "asyncpg.Connection"

    async def create(self, template: str = EMPTY) -> str:
        """Create a copy of a database that nobody is connected to; return its name."""
        name = f"darkroom_test_{secrets.token_hex(6)}"
        recent = self.connection.get_server_version().major >= _STRATEGY_SINCE
        # copying files is faster than logging every page; it forces a checkpoint, which costs nothing without fsync
        strategy = " STRATEGY file_copy" if recent else ""
        await self.connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}{strategy}")
        return name

    async def drop(self, name: str) -> None:
        """Drop a database and end the connections to it."""
        await self.connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL (asyncpg) of a database."""
        return urlsplit(self.server_url)._replace(path=f"/{name}").geturl()

    def url_of(self, user: str, name: str) -> str:
        """Return the URL of a database for another role, whose password is PASSWORD."""
        return url_as(user, self.url(name))

    @asynccontextmanager
    async def copy(self, template: str = EMPTY, user: str = "") -> AsyncIterator[str]:
        """Create a copy, yield its URL, for another role if one is given, and drop it."""
        name = await self.create(template)
        try:
            yield self.url_of(user, name) if user else self.url(name)
        finally:
            await self.drop(name)


def url_as(user: str, url: str) -> str:
    """Return a database's URL for another role, whose password is PASSWORD."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()


@asynccontextmanager
async def open_databases(server_url: str) -> AsyncIterator[Databases]:
    """Connect to a server, given as a SQLAlchemy URL of a database from which others can be created."""
    connection = await asyncpg.connect(server_url.replace("postgresql+asyncpg://", "postgresql://", 1))
    try:
        yield Databases(server_url, connection)
    finally:
        await connection.close()
