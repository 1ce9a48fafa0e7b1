"""Both databases, for every test that uses `settings` or `database`."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.records.database import Database, connect_database
from catalog.records.tenant_scope import every_tenant
from proxy.settings import Settings
from tests.migrated import as_owner, copy_database
from tests.program.server import SECRET_KEY


@pytest.fixture(autouse=True)
def house() -> Iterator[None]:
    """Let tests call services for every tenant, as the house does. A request and a job enter scopes of their own."""
    with every_tenant():
        yield


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
async def owned_database(
    request: pytest.FixtureRequest, settings: Settings, database: Database
) -> AsyncIterator[Database]:
    """Return the same database as `database`, as the owner of its tables: for changes of the schema."""
    if database.embedded:
        yield database
        return
    async with connect_database(as_owner(request.getfixturevalue("databases"), settings)) as owned:
        yield owned


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Return a migrated database without rows."""
    async with connect_database(settings) as database:
        yield database
