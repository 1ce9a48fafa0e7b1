"""The two kinds of transaction, and an unavailable database."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from catalog.core.errors import Misconfigured, NotMigrated
from catalog.records.database import Database, connect_database, database_url
from catalog.records.schema import open_database
from catalog.records.tables import Secret, Tenant
from proxy.core.errors import Unavailable
from proxy.settings import Settings
from tests.program.server import SECRET_KEY


def postgresql(url: str) -> Settings:
    """Return the settings for a PostgreSQL server, with an encryption key."""
    return Settings(database_url=url, secret_keys=SecretStr(SECRET_KEY))


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    written = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=timezone(timedelta(hours=5)))
    async with database.writing() as session:
        session.add(Tenant(name="acme", created_at=written))
    async with database.reading() as session:
        read = (await session.scalars(select(Tenant.created_at))).one()
    assert read == written
    assert read.tzinfo is UTC


async def test_a_time_without_a_zone_is_not_written(database: Database) -> None:
    with pytest.raises(Exception, match="without a time zone"):
        async with database.writing() as session:
            session.add(Tenant(name="acme", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - the fault
    async with database.reading() as session:
        assert (await session.scalars(select(Tenant))).all() == []


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            session.add(Secret(tenant="nobody", encrypted_secret="x" * 16, fingerprint="f"))


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as session:
            session.add(Tenant(name="acme"))
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.reading() as session:
        assert (await session.scalars(select(Tenant))).all() == []


async def test_writers_that_read_first_wait_for_each_other(database: Database) -> None:
    """Twenty transactions that read, pause and write all succeed: none fails because the database is locked."""

    async def work(number: int) -> None:
        async with database.writing() as session:
            await session.scalars(select(Tenant))
            await asyncio.sleep(0.001)
            session.add(Tenant(name=f"t{number}"))

    await asyncio.gather(*(work(number) for number in range(20)))
    async with database.reading() as session:
        assert len((await session.scalars(select(Tenant))).all()) == 20


async def test_a_reader_goes_on_beside_a_writer(database: Database) -> None:
    async with database.writing() as writer:
        writer.add(Tenant(name="acme"))
        await writer.flush()
        async with asyncio.timeout(5), database.reading() as reader:
            assert (await reader.scalars(select(Tenant))).all() == []


async def test_a_cancelled_block_gives_its_connection_back(database: Database) -> None:
    """More cancelled transactions than the pool has connections leave it usable."""

    async def hang() -> None:
        async with database.writing() as session:
            session.add(Tenant(name="acme"))
            await session.flush()
            await asyncio.sleep(60)

    for _ in range(12):
        task = asyncio.create_task(hang())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(10), database.writing() as session:
        session.add(Tenant(name="acme"))


async def test_the_home_folder_is_the_owners_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a" / "home")
    async with open_database(settings):
        assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
        assert (settings.home / "darkroom.db").is_file()


async def test_a_home_that_others_could_read_is_restricted(tmp_path: Path) -> None:
    """Also a folder that exists, with the database and the files beside it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    for name in ("darkroom.db", "darkroom.db-wal"):
        (home / name).touch(0o644)
        (home / name).chmod(0o644)
    async with open_database(Settings(home=home)) as database, database.writing() as session:
        session.add(Tenant(name="acme"))
        await session.flush()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes
    assert {"darkroom.db", "darkroom.db-wal", "secret.keys"} <= set(modes)


async def test_the_embedded_database_waits_for_its_disk(tmp_path: Path) -> None:
    """WAL, foreign keys and a full sync are on in every connection, so what is acknowledged survives a power cut."""
    async with open_database(Settings(home=tmp_path)) as database, database.reading() as session:
        names = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        values = [(await session.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]
    assert values == ["wal", 1, 2, 5000]


async def test_an_embedded_database_is_migrated_on_the_way(tmp_path: Path) -> None:
    async with open_database(Settings(home=tmp_path)) as database, database.reading() as session:
        assert (await session.scalars(select(Tenant))).all() == []


async def test_a_postgresql_that_was_not_migrated_is_refused(database_url: str) -> None:
    with pytest.raises(NotMigrated, match="run darkroom migrate"):
        async with open_database(postgresql(database_url)):
            pass


@pytest.mark.parametrize(
    "change",
    [("/darkroom_test_", "/no_such_"), ("postgres@127.0.0.1", "postgres@127.0.0.1:1@x"), ("postgres@", "nobody@")],
    ids=["no such database", "no such host", "no such user"],
)
async def test_a_database_that_is_out_is_unavailable_and_told_without_its_address(
    database_url: str, change: tuple[str, str]
) -> None:
    with pytest.raises(Unavailable) as refusal:
        async with open_database(postgresql(database_url.replace(*change))):
            pass
    assert str(refusal.value) == "The database does not answer."
    assert refusal.value.__cause__ is not None


async def test_a_home_that_is_no_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Unavailable):
        async with open_database(Settings(home=tmp_path / "home")):
            pass


async def test_a_connection_that_the_server_closed_is_replaced(database_url: str) -> None:
    """The pool checks a connection before it is used: a failover fails no request."""
    async with connect_database(postgresql(database_url)) as database:
        async with database.reading() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
        async with connect_database(postgresql(database_url)) as other, other.reading() as session:
            await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await database.ping()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "oracle+asyncpg://x", "postgresql+asyncpg://h:notaport/x"])
def test_an_url_of_another_kind_is_refused_with_the_right_spelling(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"postgresql\+asyncpg://"):
        database_url(Settings(database_url=url))


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_postgresql_is_spoken_to_through_asyncpg(scheme: str) -> None:
    url = database_url(Settings(database_url=f"{scheme}://u:p@h:5/d"))
    assert url.render_as_string(hide_password=False) == "postgresql+asyncpg://u:p@h:5/d"
