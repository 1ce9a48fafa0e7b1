"""Databases with this version's schema: migrated once per process, then copied for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from catalog.maintenance.migration import migrate_installation
from proxy.settings import Settings
from tests.program.server import SECRET_KEY
from tests.servers.databases import Databases

DATABASE_FILE = "darkroom.db"
APPLICATION = f"darkroom_test_{token_hex(6)}"
"""The role of servers, workers and commands; it is restricted by row-level security."""


@pytest.fixture(scope="session")
async def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file, to be copied."""
    home = tmp_path_factory.mktemp("migrated")
    await migrate_installation(Settings(home=home, secret_keys=SecretStr(SECRET_KEY)))
    # the last connection that closes writes the log into the file and removes it
    assert [path.name for path in home.iterdir()] == [DATABASE_FILE]
    return home / DATABASE_FILE


@pytest.fixture(scope="session")
async def application_role(databases: Databases) -> AsyncIterator[str]:
    """Return the role of servers, workers and commands, which the first migration that is told of it creates."""
    yield APPLICATION
    await databases.connection.execute(f"DROP ROLE IF EXISTS {APPLICATION}")


@pytest.fixture(scope="session")
async def migrated_database(databases: Databases, application_role: str) -> AsyncIterator[str]:
    """Return the name of a PostgreSQL database that its owner has migrated, to be copied."""
    name = await databases.create()
    settings = Settings(
        database_url=databases.url_of(application_role, name),
        migration_database_url=databases.url(name),
        secret_keys=SecretStr(SECRET_KEY),
    )
    await migrate_installation(settings)
    yield name
    await databases.drop(name)


@pytest.fixture
async def migrated_database_url(databases: Databases, migrated_database: str) -> AsyncIterator[str]:
    """Return the SQLAlchemy URL (asyncpg) of a migrated PostgreSQL database without rows, dropped after the test.

    Its role is the application's, which row-level security restricts, so every test shows that this suffices.
    """
    async with databases.copy(migrated_database, APPLICATION) as url:
        yield url


def as_owner(databases: Databases, settings: Settings) -> Settings:
    """Return the settings with the role that owns the tables, for a test that changes the schema."""
    if not settings.database_url:
        return settings
    name = urlsplit(settings.database_url).path.lstrip("/")
    return settings.model_copy(update={"database_url": databases.url(name)})


def copy_database(source: Path, home: Path) -> None:
    """Copy a SQLite file that nobody has open into a home folder."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, home / DATABASE_FILE)
