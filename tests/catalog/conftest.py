"""Both databases, for every test that uses `settings` or `database`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.records.database import Database, connect_database
from proxy.settings import Settings
from tests.migrated import copy_database
from tests.program.server import SECRET_KEY


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of an installation on each database; migrated if the test takes `database`, else empty."""
    home, migrated = tmp_path / "home", "database" in request.fixturenames
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated_database_url" if migrated else "database_url")
        return Settings(home=home, database_url=url, workers=1, secret_keys=SecretStr(SECRET_KEY))
    if migrated:
        copy_database(request.getfixturevalue("migrated_sqlite"), home)
    return Settings(home=home, workers=1, secret_keys=SecretStr(SECRET_KEY))


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Return a migrated database without rows."""
    async with connect_database(settings) as database:
        yield database
