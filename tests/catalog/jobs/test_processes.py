"""Workers that are killed and stopped, and Redis that is killed: each effect happens once, and none is lost."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from catalog.adapters.docket_engine import DocketEngine
from catalog.adapters.in_process_engine import InProcessEngine
from catalog.core.job_state import JobState, Priority
from catalog.jobs.claim import JobRef
from catalog.jobs.registry import HandlerRegistry
from catalog.records.database import Database, connect_database
from catalog.records.job import Job
from catalog.worker import running
from proxy.settings import Settings
from tests.catalog.jobs.kinds import OPTIONS, effects_of, register
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO
from tests.patience import until
from tests.program.server import SECRET_KEY
from tests.servers.processes import Processes
from tests.servers.redis import OwnRedis

if TYPE_CHECKING:
    import subprocess

KILLING_S = 20.0
KILL_PAUSE_S = 1.5
PATIENCE_S = 60.0
ROOT = Path(__file__).parents[3]


class Workers:
    """Worker processes of one installation."""

    def __init__(self, processes: Processes, environment: dict[str, str], folder: Path) -> None:
        self._processes = processes
        self._environment = environment
        self.log = folder / "workers.log"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        """Start one."""
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        command = ["env", "-C", f"{ROOT}", *variables, sys.executable, "-m", "tests.catalog.jobs.kinds"]
        process = self._processes.start(command, self.log)
        self.running.append(process)
        return process

    def kill_oldest(self) -> None:
        """Kill the one that has run longest, at once."""
        process = self.running.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def count(self, text: str) -> int:
        """Count lines of the log that have a text."""
        return self.log.read_text().count(text)


@pytest.fixture
def workers(request: pytest.FixtureRequest, queue: Queue, settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    """Give worker processes, those on PostgreSQL with docket; all end with the test."""
    embedded = not settings.database_url
    environment = {
        "DARKROOM_HOME": f"{settings.home}",
        "DARKROOM_DATABASE_URL": settings.database_url,
        "DARKROOM_REDIS_URL": "" if embedded else request.getfixturevalue("redis_url"),
        "DARKROOM_SECRET_KEYS": SECRET_KEY,
        "PYTHONUNBUFFERED": "1",
    }
    with Processes() as processes:
        yield Workers(processes, environment, tmp_path)


async def unfinished(queue: Queue) -> int:
    async with queue.database.reading() as session:
        states = (JobState.QUEUED.value, JobState.RUNNING.value)
        return len((await session.scalars(select(Job.id).where(col(Job.state).in_(states)))).all())


async def all_finished(queue: Queue) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await unfinished(queue):  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.1)


async def assert_once_each(queue: Queue, identifiers: list[str]) -> int:
    """Assert that each job succeeded with exactly one effect; return how many attempts there were beyond the first."""
    effects = await effects_of(queue.database)
    assert {identifier: len(rows) for identifier, rows in effects.items()} == dict.fromkeys(identifiers, 1)
    async with queue.database.reading() as session:
        rows = (await session.scalars(select(Job))).all()
    assert {row.id for row in rows} == set(identifiers)
    assert {row.state for row in rows} == {"succeeded"}
    assert set((await queue.lanes()).values()) == {(0, 0)}
    return sum(row.attempts - 1 for row in rows)


@pytest.mark.timeout(240)
async def test_workers_are_killed_at_random_and_each_effect_happens_once(queue: Queue, workers: Workers) -> None:
    chance = random.Random(7)
    for _ in range(3):
        workers.start()
    identifiers: list[str] = []
    await until(lambda: workers.count("working") >= 3)
    end_s, kill_at_s = time.monotonic() + KILLING_S, time.monotonic() + 1.0
    while time.monotonic() < end_s:
        parameters = {"seconds": chance.choice([0, 0.1, 0.5, 1.5]), "pause_s": chance.choice([0, 0, 0.05])}
        tenant, priority = chance.choice([ACME, ZOO]), chance.choice(list(Priority))
        how = {"max_attempts": 100, "parameters": parameters}
        identifiers.append(await queue.add(tenant, priority, "effect", **how))  # type: ignore[arg-type]
        await asyncio.sleep(chance.uniform(0, 0.3))
        if time.monotonic() > kill_at_s:
            workers.kill_oldest()
            workers.start()
            kill_at_s = time.monotonic() + chance.uniform(0.5, 1.5) * KILL_PAUSE_S
    await all_finished(queue)
    assert await assert_once_each(queue, identifiers) > 0


async def _stop_outside_of_transactions(queue: Queue, process: "subprocess.Popen[bytes]") -> None:
    """Stop a process at a moment when it holds no lock: what it has locked, nobody can take from it."""
    while True:
        await asyncio.sleep(0.2)
        os.kill(process.pid, signal.SIGSTOP)
        if await asyncio.to_thread(_is_locked, queue.database) if queue.database.embedded else await _has_locks(queue):
            os.kill(process.pid, signal.SIGCONT)
        else:
            return


def _is_locked(database: Database) -> bool:
    with closing(sqlite3.connect(str(database.engine.url.database), timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


async def _has_locks(queue: Queue) -> bool:
    async with queue.database.reading() as session:
        held = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        return bool(await session.scalar(text(held)))


async def test_a_worker_that_was_stopped_for_longer_than_its_lease_is_fenced(
    queue: Queue, workers: Workers, settings: Settings
) -> None:
    identifier = await queue.add(kind="effect", parameters={"seconds": 2.0})
    stopped = workers.start()
    async with asyncio.timeout(PATIENCE_S):
        while await queue.state(identifier) is not JobState.RUNNING:  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.02)
    await _stop_outside_of_transactions(queue, stopped)
    registry = HandlerRegistry()
    register(registry)
    async with running(InProcessEngine(queue.database, registry, OPTIONS)):
        await all_finished(queue)
        os.kill(stopped.pid, signal.SIGCONT)
        await until(lambda: workers.count("its lease ended") + workers.count("outcome not written") > 0)
    assert await assert_once_each(queue, [identifier]) == 1


async def test_a_worker_process_gives_its_jobs_back_when_it_is_terminated(queue: Queue, workers: Workers) -> None:
    identifier = await queue.add(kind="plain", parameters={"seconds": 600})
    process = workers.start()
    async with asyncio.timeout(PATIENCE_S):
        while await queue.state(identifier) is not JobState.RUNNING:  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.02)
    process.terminate()
    assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0
    row = await queue.job(identifier)
    assert (row.state, row.attempts, row.token) == ("queued", 0, 1)
    assert await queue.heartbeat(JobRef(identifier, 1)) is not None


@pytest.fixture
async def elsewhere(queue: Queue, settings: Settings) -> AsyncIterator[Database]:
    """Give the same database as another process has it: commits here wake no engine there."""
    async with connect_database(settings) as database:
        yield database


def docket_engine(database: Database, redis_url: str, poll_s: float, concurrency: int = 3) -> DocketEngine:
    registry = HandlerRegistry()
    register(registry)
    return DocketEngine(database, registry, redis_url, replace(OPTIONS, concurrency=concurrency, poll_s=poll_s))


async def test_docket_wakes_a_worker_in_another_process(queue: Queue, elsewhere: Database, redis_url: str) -> None:
    """The worker polls once in ten minutes here, so it hears of jobs from docket alone."""
    sender = docket_engine(queue.database, redis_url, 600, concurrency=0)
    receiver = docket_engine(elsewhere, redis_url, 600)
    async with running(sender), running(receiver):
        await until(lambda: sender.alive and receiver.alive)
        await asyncio.sleep(1.0)
        identifiers = [await queue.add(kind="effect") for _ in range(5)]
        await all_finished(queue)
        assert receiver.hints > 0
        assert sender.hints == 0
    await assert_once_each(queue, identifiers)


async def test_redis_is_killed_and_restarted_and_nothing_is_lost(
    queue: Queue, elsewhere: Database, own_redis: OwnRedis
) -> None:
    sender = docket_engine(queue.database, own_redis.url, 0.5, concurrency=0)
    receiver = docket_engine(elsewhere, own_redis.url, 0.5)
    identifiers: list[str] = []

    async def add(count: int) -> None:
        identifiers.extend([await queue.add(kind="effect", parameters={"seconds": 0.05}) for _ in range(count)])

    async with running(sender), running(receiver):
        await add(10)
        own_redis.kill()
        await add(10)
        await all_finished(queue)
        assert sender.alive
        assert receiver.alive
        own_redis.start()
        hints = receiver.hints
        async with asyncio.timeout(PATIENCE_S):
            while receiver.hints == hints:
                await add(1)
                await asyncio.sleep(0.2)
        await all_finished(queue)
    await assert_once_each(queue, identifiers)
