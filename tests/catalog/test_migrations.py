"""Migrations lead to the tables of the models and back, on both databases; newer schemas are used if they allow it."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlmodel import select

from catalog.core.errors import KeyConflict, NotMigrated
from catalog.records.database import Database, connect_database
from catalog.records.migrations import HEAD, Migrated, SchemaVersion
from catalog.records.migrations.upgrade import config_for, migrate
from catalog.records.schema import ensure_schema, find_version, open_database
from catalog.records.tables import Record, Tenant
from catalog.tenants.tenant_repository import SqlTenantRepository, find_signer
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import Limits
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source
from proxy.settings import Settings
from tests.catalog.services import create_key, create_tenant, put_preset

DARKROOM = Path(sys.executable).with_name("darkroom")
SECRET = "correct-horse-battery-staple"


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, Record.metadata))


async def _compare(database: Database) -> list[object]:
    async with database.reading() as session:
        return await (await session.connection()).run_sync(_differences)


async def test_models_and_migrations_agree(database: Database) -> None:
    assert await _compare(database) == []


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_derivative_tenant_original",
        "ALTER TABLE original ADD COLUMN extra INTEGER",
        "ALTER TABLE original DROP COLUMN file_name",
    ],
)
async def test_the_comparison_sees_a_difference(owned_database: Database, change: str) -> None:
    async with owned_database.writing() as session:
        await session.execute(text(change))
    assert await _compare(owned_database)


async def test_head_is_the_last_revision_of_the_history(database: Database) -> None:
    async with database.reading() as session:
        config = await (await session.connection()).run_sync(config_for, database.cipher)
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_the_oldest_supported_code_is_recorded(database: Database) -> None:
    assert await find_version(database) == SchemaVersion(HEAD, "0005")


async def test_a_migration_up_and_down(settings: Settings) -> None:
    async with connect_database(settings) as database:
        assert await migrate(database) == Migrated(None, HEAD)
        assert await migrate(database) == Migrated(HEAD, HEAD)
        assert await migrate(database, "base") == Migrated(HEAD, "base")
        async with database.reading() as session:
            names = await (await session.connection()).run_sync(
                lambda connection: inspect(connection).get_table_names()
            )
        assert names == ["alembic_version"]
        assert await find_version(database) == SchemaVersion(None, None)
        assert await migrate(database) == Migrated(None, HEAD)


async def test_a_tenant_from_before_epochs_is_in_its_first(settings: Settings) -> None:
    async with connect_database(settings) as database:
        await migrate(database, "0002")
        await _execute(database, "INSERT INTO tenant (name, created_at) VALUES ('acme', '2026-01-01 00:00:00+00:00')")
        assert await migrate(database) == Migrated("0002", HEAD)
        async with database.reading() as session:
            assert (await session.scalars(select(Tenant))).one().cache_epoch == 0
        assert await migrate(database, "0002") == Migrated(HEAD, "0002")


async def test_secrets_from_before_encryption_are_encrypted_and_work(settings: Settings) -> None:
    """Down again they are readable, so that a release can be taken back."""
    async with connect_database(settings) as database:
        await migrate(database, "0004")
        await _execute(
            database,
            "INSERT INTO tenant (name, created_at) VALUES ('acme', '2026-01-01 00:00:00+00:00')",
            f"INSERT INTO secret (tenant, secret, created_at) VALUES ('acme', '{SECRET}', '2026-01-01 00:00:00+00:00')",
            "INSERT INTO source (tenant, prefix, credentials, created_at) "
            """VALUES ('acme', 's3://photos', '{"access_key_id": "AKIAEXAMPLEKEY"}', '2026-01-01 00:00:00+00:00')""",
        )
        await migrate(database)
        stored = await _stored_secrets(database)
        assert all(SECRET not in text and "AKIAEXAMPLEKEY" not in text for text in stored)
        tenant = await find_signer(database, TenantName("acme"))
        assert tenant.keys[0].seal("x") == SigningKey.derive(SECRET).seal("x")
        assert tenant.sources == (Source("s3://photos", (("access_key_id", "AKIAEXAMPLEKEY"),)),)
        with pytest.raises(KeyConflict, match="used this secret before"):
            await create_key(database, TenantName("acme"), SECRET)
        await migrate(database, "0004")
        assert await _stored_secrets(database) == [SECRET, '{"access_key_id": "AKIAEXAMPLEKEY"}']


async def test_a_newer_schema_that_supports_this_version_is_used(settings: Settings) -> None:
    """A rolling deploy: the next release has added a table and columns, and a server of this one starts and works."""
    async with connect_database(settings) as database:
        await migrate(database)
        await _execute(
            database,
            "CREATE TABLE album (name VARCHAR(32) PRIMARY KEY)",
            "ALTER TABLE tenant ADD COLUMN plan VARCHAR(16) NOT NULL DEFAULT 'free'",
            "ALTER TABLE preset ADD COLUMN note VARCHAR(64)",
            "UPDATE alembic_version SET version_num = '0099'",
        )
    async with open_database(settings) as database:
        await create_tenant(database, TenantName("acme"), SECRET)
        await put_preset(database, TenantName("acme"), "card", "w100-auto")
        await _execute(database, """UPDATE tenant SET limits = '{"albums": 5, "output_side": 100}'""")
        tenant = await SqlTenantRepository(database).find(TenantName("acme"))
        assert tenant is not None
        assert tenant.limits == Limits(output_side=100)
        assert await migrate(database) == Migrated("0099", "0099"), "a migration of this version has nothing to do"


@pytest.mark.parametrize(
    "changes",
    [
        ["UPDATE alembic_version SET version_num = '0099'", "UPDATE schema_compatibility SET oldest_revision = '0099'"],
        ["UPDATE alembic_version SET version_num = '0099'", "DELETE FROM schema_compatibility"],
        ["UPDATE alembic_version SET version_num = 'abcdef'", "UPDATE schema_compatibility SET oldest_revision = 'x'"],
    ],
)
async def test_a_newer_schema_that_does_not_support_this_version_is_refused(
    owned_database: Database, changes: list[str]
) -> None:
    await _execute(owned_database, *changes)
    for attempt in (migrate(owned_database), ensure_schema(owned_database)):
        with pytest.raises(NotMigrated, match="install a newer version"):
            await attempt


async def test_processes_that_migrate_at_once_all_arrive_and_one_does_the_work(settings: Settings) -> None:
    environment = {
        "DARKROOM_HOME": str(settings.home),
        "DARKROOM_DATABASE_URL": settings.database_url,
        "DARKROOM_SECRET_KEYS": settings.secret_keys.get_secret_value(),
    }
    processes = [
        await create_subprocess_exec(DARKROOM, "migrate", "--json", env=environment, stdout=PIPE, stderr=PIPE)
        for _ in range(3)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    results = [json.loads(out) for out, _ in outputs]
    assert sorted(str(result["from"]) for result in results) == [HEAD, HEAD, "None"]
    assert {result["to"] for result in results} == {HEAD}


async def _execute(database: Database, *statements: str) -> None:
    async with database.writing() as session:
        for statement in statements:
            await session.execute(text(statement.replace(":", "\\:")))


async def _stored_secrets(database: Database) -> list[str]:
    async with database.reading() as session:
        return [
            str(await session.scalar(text(query)))
            for query in ("SELECT secret FROM secret", "SELECT credentials FROM source")
        ]
