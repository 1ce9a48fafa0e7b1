"""The schema's history arrives at the models, on both databases, and goes back."""

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

from catalog.core.errors import NotMigrated
from catalog.records.database import Database, connect_database
from catalog.records.migrations import HEAD, Migrated, ensure, find_revision
from catalog.records.migrations.upgrade import config_for, migrate
from catalog.records.tables import Record, Tenant
from proxy.settings import Settings

DARKROOM = Path(sys.executable).with_name("darkroom")


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
async def test_the_comparison_sees_a_difference(database: Database, change: str) -> None:
    async with database.writing() as session:
        await session.execute(text(change))
    assert await _compare(database)


async def test_head_is_the_last_revision_of_the_history(database: Database) -> None:
    async with database.reading() as session:
        config = await (await session.connection()).run_sync(config_for)
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_there_and_back_again(settings: Settings) -> None:
    async with connect_database(settings) as database:
        assert await migrate(database) == Migrated(None, HEAD)
        assert await migrate(database) == Migrated(HEAD, HEAD)
        assert await migrate(database, "base") == Migrated(HEAD, "base")
        async with database.reading() as session:
            tables = await (await session.connection()).run_sync(lambda one: inspect(one).get_table_names())
        assert tables == ["alembic_version"]
        assert await find_revision(database) is None
        assert await migrate(database) == Migrated(None, HEAD)


async def test_a_tenant_from_before_editions_is_in_its_first(settings: Settings) -> None:
    async with connect_database(settings) as database:
        await migrate(database, "0002")
        async with database.writing() as session:
            told = "INSERT INTO tenant (name, created_at) VALUES ('acme', '2026-01-01 00:00:00+00:00')"
            await session.execute(text(told))
        assert await migrate(database) == Migrated("0002", HEAD)
        async with database.reading() as session:
            assert (await session.scalars(select(Tenant))).one().cache_epoch == 0
        assert await migrate(database, "0002") == Migrated(HEAD, "0002")


async def test_a_database_from_the_future_is_left_alone(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (migrate(database), ensure(database)):
        with pytest.raises(NotMigrated, match="9999"):
            await refused


async def test_processes_that_migrate_at_once_all_arrive_and_one_does_the_work(settings: Settings) -> None:
    environment = {
        "DARKROOM_HOME": str(settings.home),
        "DARKROOM_DATABASE_URL": settings.database_url,
    }
    processes = [
        await create_subprocess_exec(DARKROOM, "migrate", "--json", env=environment, stdout=PIPE, stderr=PIPE)
        for _ in range(3)
    ]
    outputs = await asyncio.gather(*(one.communicate() for one in processes))
    assert [one.returncode for one in processes] == [0, 0, 0], outputs
    told = [json.loads(out) for out, _ in outputs]
    assert sorted(str(one["from"]) for one in told) == [HEAD, HEAD, "None"]
    assert {one["to"] for one in told} == {HEAD}
