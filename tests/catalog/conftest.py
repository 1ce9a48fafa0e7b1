"""Both databases, for every test that uses `settings` or `database`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.records.database import Database, connect_database
from catalog.records.migrations.upgrade import migrate
from proxy.settings import Settings
from tests.program.server import SECRET_KEY


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of an empty installation, on each database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("database_url")
    return Settings(home=tmp_path / "home", database_url=url, workers=1, secret_keys=SecretStr(SECRET_KEY))


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Return a migrated, empty database."""
    async with connect_database(settings) as database:
        await migrate(database)
        yield database
