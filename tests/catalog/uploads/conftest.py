"""Uploads in more than one request, embedded (SQLite, a folder) and grown (PostgreSQL, S3)."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from proxy.settings import Settings
from tests.migrated import copy_database
from tests.program.server import SECRET_KEY

if TYPE_CHECKING:
    from tests.servers.fixtures import S3


@pytest.fixture(params=["embedded", "grown"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of a migrated installation of each kind."""
    home = tmp_path / "home"
    if request.param == "embedded":
        copy_database(request.getfixturevalue("migrated_sqlite"), home)
        return Settings(home=home, workers=1, secret_keys=SecretStr(SECRET_KEY))
    s3: S3 = request.getfixturevalue("s3")
    return Settings(
        home=home,
        workers=1,
        secret_keys=SecretStr(SECRET_KEY),
        database_url=request.getfixturevalue("migrated_database_url"),
        store_url=s3.store_url,
        s3_endpoint_url=s3.endpoint_url,
        s3_access_key_id=s3.access_key_id,
        s3_secret_access_key=SecretStr(s3.secret_access_key),
    )
