"""The test servers are the real thing, and none of them outlives the tests."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.patience import until
from tests.servers.cutter import Cutter, open_cutter
from tests.servers.folders import remove_abandoned, server_folder
from tests.servers.redis import OwnRedis
from tests.servers.together import redis_of_worker

LONG_S = 60.0


async def _scalar(url: str, query: str) -> object:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        value: object = await connection.scalar(text(query))
    await engine.dispose()
    return value


_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


async def test_a_database_is_empty_and_is_postgresql(database_url: str) -> None:
    assert await _scalar(database_url, _TABLES) == 0
    assert str(await _scalar(database_url, "SELECT version()")).startswith("PostgreSQL")


async def test_a_migrated_database_is_a_copy_with_tables_and_without_rows(
    migrated_database: str, migrated_database_url: str
) -> None:
    assert migrated_database not in migrated_database_url
    assert await _scalar(migrated_database_url, _TABLES) != 0
    assert await _scalar(migrated_database_url, "SELECT count(*) FROM tenant") == 0


@pytest.mark.parametrize(
    ("url", "worker", "own"),
    [
        ("redis://h:1/0", "", "redis://h:1/0"),
        ("redis://h:1/0", "gw0", "redis://h:1/0"),
        ("redis://h:1", "gw2", "redis://h:1/2"),
        ("rediss://:p@h:1/3?x=y", "gw2", "rediss://:p@h:1/5?x=y"),
    ],
)
def test_each_worker_has_a_redis_database_of_its_own(url: str, worker: str, own: str) -> None:
    assert redis_of_worker(url, worker) == own


def test_a_folder_is_removed_and_one_in_use_is_left_alone(tmp_path: Path) -> None:
    with server_folder(tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


async def test_a_stalled_redis_is_silent_until_it_is_resumed(own_redis: OwnRedis) -> None:
    async with Redis.from_url(own_redis.url, socket_timeout=0.2, retry=None) as redis:
        own_redis.stall()
        with pytest.raises(RedisTimeoutError):
            await redis.ping()
        own_redis.resume()
        assert await redis.ping()


async def test_a_killed_redis_refuses_until_it_is_started(own_redis: OwnRedis) -> None:
    own_redis.kill()
    async with Redis.from_url(own_redis.url, retry=None) as redis:
        with pytest.raises(RedisConnectionError):
            await redis.ping()
        own_redis.start()
        assert await redis.ping()


async def _serve_ten_bytes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"0123456789")
    writer.close()


@pytest.fixture
async def cutter() -> AsyncIterator[Cutter]:
    async with (
        await asyncio.start_server(_serve_ten_bytes, "127.0.0.1", 0) as server,
        open_cutter(*server.sockets[0].getsockname()[:2]) as cutter,
    ):
        yield cutter


async def _ask(cutter: Cutter) -> bytes:
    reader, writer = await asyncio.open_connection(cutter.host, cutter.port)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_cutter_forwards_the_answer_of_the_server(cutter: Cutter) -> None:
    assert await _ask(cutter) == b"0123456789"


async def test_a_cutter_ends_an_answer_after_a_number_of_bytes(cutter: Cutter) -> None:
    cutter.cut_after(4)
    assert await _ask(cutter) == b"0123"


async def test_a_cutter_refuses_until_it_is_restored(cutter: Cutter) -> None:
    await cutter.refuse()
    with pytest.raises(ConnectionRefusedError):
        await _ask(cutter)
    await cutter.restore()
    assert await _ask(cutter) == b"0123456789"


async def test_a_stalled_cutter_accepts_and_is_silent_until_it_is_cut(cutter: Cutter) -> None:
    cutter.stall()
    asking = asyncio.ensure_future(_ask(cutter))
    await until(lambda: cutter.connections > 0)
    assert not asking.done()
    cutter.cut()
    with pytest.raises(ConnectionResetError):
        await asking


_HOLD = """
import signal, sys
from tests.servers.together import Servers
signal.signal(signal.SIGINT, signal.default_int_handler)
with Servers() as servers:
    servers.start(["database_server", "redis_server", "s3_server"])
    for name in ["database_server", "redis_server", "s3_server"]:
        servers.find(name)
    print(servers.folder, *(process.pid for process, _ in servers.processes._running), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_server_outlives_its_tests(end: signal.Signals) -> None:
    """Interrupted or killed, pytest leaves no process behind, and no folder beyond the next start."""
    command = [sys.executable, "-c", _HOLD]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as holder:
        assert holder.stdout
        folder, *pids = holder.stdout.readline().decode().split()
        holder.send_signal(end)
        holder.wait(LONG_S)
    assert len(pids) > 3
    for pid in map(int, pids):
        _await_end(pid)
    assert Path(folder).exists() == (end is signal.SIGKILL)
    remove_abandoned(Path(folder).parent)
    assert not Path(folder).exists()


def _await_end(pid: int) -> None:
    """Wait for a process that is not our child; the test's time-out bounds it."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1]:
            return
        time.sleep(0.01)
