"""Databases with this version's schema: migrated once per process, then copied for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.records.database import connect_database
from catalog.records.migrations.upgrade import migrate
from proxy.settings import Settings
from tests.program.server import SECRET_KEY
from tests.servers.databases import Databases

DATABASE_FILE = "darkroom.db"


@pytest.fixture(scope="session")
async def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file, to be copied."""
    home = tmp_path_factory.mktemp("migrated")
    await _migrate(Settings(home=home, secret_keys=SecretStr(SECRET_KEY)))
    # the last connection that closes writes the log into the file and removes it
    assert [path.name for path in home.iterdir()] == [DATABASE_FILE]
    return home / DATABASE_FILE


@pytest.fixture(scope="session")
async def migrated_database(databases: Databases) -> AsyncIterator[str]:
    """Return the name of a migrated PostgreSQL database, to be copied."""
    name = await databases.create()
    await _migrate(Settings(database_url=databases.url(name), secret_keys=SecretStr(SECRET_KEY)))
    yield name
    await databases.drop(name)


@pytest.fixture
async def migrated_database_url(databases: Databases, migrated_database: str) -> AsyncIterator[str]:
    """Return the SQLAlchemy URL (asyncpg) of a migrated PostgreSQL database without rows, dropped after the test."""
    async with databases.copy(migrated_database) as url:
        yield url


def copy_database(source: Path, home: Path) -> None:
    """Copy a SQLite file that nobody has open into a home folder."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, home / DATABASE_FILE)


async def _migrate(settings: Settings) -> None:
    async with connect_database(settings) as database:
        await migrate(database)
