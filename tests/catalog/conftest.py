"""Both databases, for every test that takes `settings` or `database`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from catalog.records.database import Database, connect_database
from catalog.records.migrations.upgrade import migrate
from proxy.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Give the settings of an empty installation, on each database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("database_url")
    return Settings(home=tmp_path / "home", database_url=url, workers=1)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Give a migrated, empty database."""
    async with connect_database(settings) as database:
        await migrate(database)
        yield database
