"""The second lock: PostgreSQL refuses a query that forgets its tenant, on every table."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import CursorResult, Executable, Table, delete, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.core.errors import Misconfigured
from catalog.maintenance.doctor import Finding, _isolation
from catalog.maintenance.migration import migrate_installation
from catalog.records.database import Database, connect_database
from catalog.records.database_password import scram_verifier
from catalog.records.postgresql import _scoped_connection, create_postgresql_engine
from catalog.records.row_security import APPEND_ONLY, ApplicationRole, tenant_column
from catalog.records.schema import open_database
from catalog.records.tables import Record, Tenant
from catalog.records.tenant_scope import every_tenant, no_tenant, tenant_scope
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.settings import Settings
from tests.catalog.records.rows import row_of
from tests.catalog.samples import ACME, ZOO
from tests.catalog.services import create_tenant
from tests.migrated import as_owner, copy_database
from tests.program.server import SECRET_KEY
from tests.servers.databases import Databases

TABLES = [table for table in Record.metadata.sorted_tables if tenant_column(table) is not None]
OF_THE_HOUSE = {"schedule", "schema_compatibility"}
"""Tables without a tenant. Add one only if no row of it belongs to a tenant."""


@pytest.fixture
def settings(migrated_database_url: str) -> Settings:
    """Return the settings of servers: the application's role, on PostgreSQL."""
    return Settings(database_url=migrated_database_url, secret_keys=SecretStr(SECRET_KEY))


@pytest.fixture
async def owner(databases: Databases, settings: Settings) -> AsyncIterator[Database]:
    """Return the same database, as the owner of its tables."""
    async with connect_database(as_owner(databases, settings)) as owner:
        yield owner


@pytest.fixture
async def filled(database: Database, owner: Database) -> Database:
    """Return the database with one row of acme and one of zoo in every table."""
    async with owner.writing() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys
        for table in TABLES:
            for tenant in (ACME, ZOO):
                await session.execute(insert(table).values(row_of(table, tenant)))
    return database


async def tenants_in(session: AsyncSession, table: Table) -> list[str]:
    """Return whose rows a query finds that names no tenant."""
    return sorted(await session.scalars(select(table.columns[str(tenant_column(table))])))


def test_every_table_has_a_tenant_or_is_known_to_be_of_the_house() -> None:
    assert {table.name for table in Record.metadata.sorted_tables} - {table.name for table in TABLES} == OF_THE_HOUSE


async def test_a_query_without_a_tenant_finds_the_rows_of_its_scope_alone(filled: Database) -> None:
    with tenant_scope(ACME):
        async with filled.reading() as session:
            assert {table.name: await tenants_in(session, table) for table in TABLES} == {
                table.name: [ACME] for table in TABLES
            }
    with every_tenant():
        async with filled.reading() as session:
            assert {table.name: await tenants_in(session, table) for table in TABLES} == {
                table.name: [ACME, ZOO] for table in TABLES
            }


async def test_a_transaction_outside_of_any_scope_finds_and_writes_nothing(filled: Database) -> None:
    with no_tenant():
        async with filled.reading() as session:
            assert {table.name for table in TABLES if await tenants_in(session, table)} == set()
        for table in TABLES:
            with pytest.raises(ProgrammingError, match="row-level security"):
                await _insert(filled, table, TenantName("new"))


async def test_a_change_without_a_tenant_touches_the_rows_of_its_scope_alone(filled: Database) -> None:
    with tenant_scope(ACME):
        for table in TABLES:
            if table.name in APPEND_ONLY:
                continue
            async with filled.writing() as session:
                column = table.columns[str(tenant_column(table))]
                assert await _count(session, update(table).values({column: column})) == 1, table.name
                await session.rollback()
        async with filled.writing() as session:
            deleted = [table for table in reversed(TABLES) if table.name not in APPEND_ONLY]
            assert {table.name: await _count(session, delete(table)) for table in deleted} == {
                table.name: 1 for table in deleted
            }
    with every_tenant():
        async with filled.reading() as session:
            for table in deleted:
                assert await tenants_in(session, table) == [ZOO], table.name


async def test_a_row_of_another_tenant_cannot_be_written(filled: Database) -> None:
    with tenant_scope(ACME):
        for table in TABLES:
            with pytest.raises(ProgrammingError, match="row-level security"):
                await _insert(filled, table, TenantName("new"))
            if table.name in APPEND_ONLY:
                continue
            with pytest.raises(ProgrammingError, match="row-level security"):
                async with filled.writing() as session:
                    await session.execute(update(table).values({str(tenant_column(table)): "zoo"}))


async def test_the_audit_trail_can_be_written_and_not_be_changed(filled: Database) -> None:
    for statement in (
        "UPDATE audit_event SET actor = 'nobody'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
    ):
        with every_tenant(), pytest.raises(ProgrammingError, match="permission denied"):
            async with filled.writing() as session:
                await session.execute(text(statement))
    with tenant_scope(ACME):
        async with filled.writing() as session:
            [trail] = [table for table in TABLES if table.name == "audit_event"]
            await session.execute(insert(trail).values(row_of(trail, ACME) | {"id": "another"}))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE image DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON image",
        "SET row_security = off; SELECT * FROM image",
        "SET ROLE postgres",
        "UPDATE schema_compatibility SET oldest_revision = '9999'",
    ],
)
async def test_the_application_cannot_take_the_lock_off(database: Database, statement: str) -> None:
    with every_tenant(), pytest.raises(ProgrammingError):
        await _execute(database, *statement.split(";"))


async def test_a_scope_ends_with_its_transaction(database: Database) -> None:
    """Whatever the pool hands out next, nobody's scope is left on the connection."""
    with tenant_scope(ACME):
        await database.ping()
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        assert await driver.fetchval("SELECT current_setting('app.tenant', true)") == ""
        assert await driver.fetchval("SHOW statement_timeout") == "0"


async def test_transactions_have_deadlines_on_the_server(database: Database) -> None:
    async with database.reading() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "10s"
        assert await session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"


async def test_the_server_ends_a_long_statement(settings: Settings) -> None:
    url = settings.database_url.replace("postgresql+asyncpg", "postgresql")
    connection = await asyncpg.connect(url, connection_class=_scoped_connection(0.1, 60))
    with pytest.raises(asyncpg.QueryCanceledError, match="statement timeout"):
        async with connection.transaction():
            await connection.execute("SELECT pg_sleep(60)")
    await connection.close()


async def test_an_idle_transaction_is_ended_and_the_next_one_works(settings: Settings, owner: Database) -> None:
    engine = create_postgresql_engine(make_url(settings.database_url), 10, idle_timeout_s=0.05)
    impatient = Database(engine, owner.cipher)

    async def is_gone(process: int) -> bool:
        async with owner.reading() as session:
            alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            return not await session.scalar(alive, {"pid": process})

    async def forget() -> None:
        async with impatient.reading() as session:
            process = int(await session.scalar(text("SELECT pg_backend_pid()")))
            while not await is_gone(process):  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.01)
            await session.scalar(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await forget()
    await impatient.ping()
    await engine.dispose()


def test_a_scope_is_the_name_of_a_tenant_and_nothing_else() -> None:
    for name in ("*", "", "a'b", "acme'; DROP TABLE image; --"):
        with pytest.raises(ValueError, match="not a tenant name"), tenant_scope(TenantName(name)):
            pass


# Roles: `darkroom migrate` makes them, and the doctor judges them.


@pytest.fixture
async def role(databases: Databases) -> AsyncIterator[str]:
    """Return the name of a role that does not exist; whatever was made of it is dropped after the test's database."""
    name = f"darkroom_test_{token_hex(6)}"
    yield name
    await databases.connection.execute(f"DROP ROLE IF EXISTS {name}")


@pytest.fixture
async def fresh(role: str, database_url: str) -> Settings:
    """Return the settings of an installation on an empty database, with one role for everything."""
    return Settings(database_url=database_url, secret_keys=SecretStr(SECRET_KEY))


def with_role(settings: Settings, databases: Databases, role: str) -> Settings:
    """Return the settings with the owner's URL for migrations and a role of its own for the application."""
    name = str(make_url(settings.database_url).database)
    return settings.model_copy(
        update={"database_url": databases.url_of(role, name), "migration_database_url": settings.database_url}
    )


@asynccontextmanager
async def owned_by(databases: Databases, settings: Settings, role: str) -> AsyncIterator[Settings]:
    """Yield settings with a plain role that owns the database, as hosted PostgreSQL gives it out."""
    name = str(make_url(settings.database_url).database)
    await databases.connection.execute(f"CREATE ROLE {role} LOGIN")
    await databases.connection.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    yield settings.model_copy(update={"database_url": databases.url_of(role, name)})
    await databases.connection.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")


async def test_migrate_makes_the_application_role(fresh: Settings, databases: Databases, role: str) -> None:
    settings = with_role(fresh, databases, role)
    _, secured = await migrate_installation(settings)
    assert secured.roles == (role,)
    attributes = "rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb"
    row = await databases.connection.fetchrow(f"SELECT {attributes} FROM pg_roles WHERE rolname = $1", role)
    assert tuple(row) == (True, False, False, False, False)
    async with open_database(settings) as database:
        with every_tenant():
            await create_tenant(database, ACME)
        with tenant_scope(ZOO):
            async with database.reading() as session:
                assert (await session.scalars(select(Tenant))).all() == []
    finding = await _isolation(settings)
    assert (finding.state, "restricts" in finding.message) == ("ok", True)


async def test_a_stored_password_is_what_the_server_would_have_stored(databases: Databases, role: str) -> None:
    await databases.connection.execute(f"CREATE ROLE {role} PASSWORD 'a pass-word'")
    stored = await databases.connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    assert stored.startswith("SCRAM-SHA-256$4096:")
    assert scram_verifier("a pass-word", b64decode(stored.split(":")[1].split("$")[0])) == stored
    assert scram_verifier("a pass-word") != scram_verifier("a pass-word")
    assert "a pass-word" not in repr(ApplicationRole("x", "a pass-word"))


async def test_one_role_goes_on_working_and_the_doctor_warns(fresh: Settings) -> None:
    await migrate_installation(fresh)
    with every_tenant():
        async with open_database(fresh) as database:
            await create_tenant(database, ACME)
    with no_tenant():
        async with open_database(fresh) as database, database.reading() as session:
            assert len((await session.scalars(select(Tenant))).all()) == 1
    finding = await _isolation(fresh)
    assert (finding.state, "superuser" in finding.message) == ("warn", True)
    assert "DARKROOM_MIGRATION_DATABASE_URL" in finding.advice


async def test_an_owner_without_other_rights_works_and_the_doctor_says_what_it_owns(
    fresh: Settings, databases: Databases, role: str
) -> None:
    async with owned_by(databases, fresh, role) as settings:
        await migrate_installation(settings)
        finding = await _isolation(settings)
        assert (finding.state, "owns" in finding.message) == ("warn", True)
        with pytest.raises(Misconfigured, match=r"CREATE ROLE \"newcomer\" LOGIN NOSUPERUSER .* NOBYPASSRLS PASSWORD"):
            await migrate_installation(with_role(settings, databases, "newcomer"))
        owner = settings.model_copy(update={"migration_database_url": fresh.database_url})
        with pytest.raises(Misconfigured, match="owns tables"):
            await migrate_installation(owner)


async def test_a_role_that_was_given_the_tables_by_hand_is_left_alone_until_asked(
    fresh: Settings, databases: Databases, role: str
) -> None:
    """Servers of the last release name no tenant: a policy would stop them during a rolling deploy."""
    async with connect_database(fresh) as database:
        await migrate_installation(fresh)
        async with database.writing() as session:
            await session.execute(text(f"CREATE ROLE {role} LOGIN"))
            await session.execute(
                text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
            )
            for table in TABLES:  # as the last release left it
                await session.execute(text(f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY"))
                await session.execute(text(f"DROP POLICY tenant_isolation ON {table.name}"))
    _, secured = await migrate_installation(fresh)
    assert (secured.roles, secured.left_alone) == ((), (role,))
    asked = with_role(fresh, databases, role)
    finding = await _isolation(asked)
    assert (finding.state, "No policy on" in finding.message) == ("fail", True)
    _, secured = await migrate_installation(asked)
    assert (secured.roles, secured.left_alone) == ((role,), ())
    assert (await _isolation(asked)).state == "ok"


async def test_what_is_missing_is_found_by_the_doctor_and_mended_by_migrate(
    settings: Settings, owner: Database, databases: Databases
) -> None:
    assert (await _isolation(settings)).state == "ok"
    application = make_url(settings.database_url).username
    breaks = {
        "DROP POLICY tenant_isolation ON image": "No policy on image",
        "ALTER TABLE job DISABLE ROW LEVEL SECURITY": "No policy on job",
        f"GRANT UPDATE ON audit_event TO {application}": "may change audit_event",
    }
    for statement, message in breaks.items():
        async with owner.writing() as session:
            await session.execute(text(statement))
        finding: Finding = await _isolation(settings)
        assert (finding.state, message in finding.message) == ("fail", True), finding
        _, secured = await migrate_installation(as_owner(databases, settings))
        assert secured.roles == (application,)
        assert (await _isolation(settings)).state == "ok"


async def test_migrate_as_the_application_role_changes_nothing(settings: Settings) -> None:
    migrated, secured = await migrate_installation(settings)
    assert (migrated.before, secured.roles) == (migrated.after, ())


async def test_sqlite_has_no_second_lock(migrated_sqlite: Path, tmp_path: Path) -> None:
    copy_database(migrated_sqlite, tmp_path / "home")
    finding = await _isolation(Settings(home=tmp_path / "home", secret_keys=SecretStr(SECRET_KEY)))
    assert (finding.state, "SQLite" in finding.message) == ("ok", True)


async def _execute(database: Database, *statements: str) -> None:
    async with database.writing() as session:
        for statement in statements:
            await session.execute(text(statement))


async def _insert(database: Database, table: Table, tenant: TenantName) -> None:
    async with database.writing() as session:
        await session.execute(insert(table).values(row_of(table, tenant)))


async def _count(session: AsyncSession, statement: Executable) -> int:
    """Return how many rows a statement changed."""
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount
