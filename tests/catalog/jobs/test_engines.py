"""What every engine does: one contract, both adapters, both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from catalog.adapters.docket_engine import DocketEngine
from catalog.adapters.in_process_engine import InProcessEngine
from catalog.core.job_state import JobState, Priority
from catalog.jobs.ports import EngineOptions, JobEngine
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.schedules import Recurring
from catalog.jobs.service import cancel_job
from catalog.jobs.sweep import sweep_expired
from catalog.records.database import Database
from catalog.worker import running
from proxy.core.errors import Unavailable
from proxy.settings import Settings
from tests.catalog.jobs.kinds import OPTIONS, effects_of, register
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ORIGIN, principal_of
from tests.patience import until

PATIENCE_S = 30.0
RARE_POLLS = replace(OPTIONS, poll_s=PATIENCE_S * 2)
Make = Callable[..., JobEngine]


@pytest.fixture(params=["in process", "docket"])
def make(request: pytest.FixtureRequest, queue: Queue, settings: Settings) -> Make:
    """Give a function that makes engines of one kind on the test's database."""
    redis_url = "" if request.param == "in process" else request.getfixturevalue("redis_url")

    def make(options: EngineOptions = OPTIONS, schedules: tuple[Recurring, ...] = ()) -> JobEngine:
        registry = HandlerRegistry()
        register(registry)
        if not redis_url:
            return InProcessEngine(queue.database, registry, options, schedules)
        return DocketEngine(queue.database, registry, redis_url, options, schedules)

    return make


async def finished(queue: Queue, *identifiers: str) -> list[JobState]:
    """Wait until all jobs are finished; return their states."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            states = [await queue.state(identifier) for identifier in identifiers]
            if not {JobState.QUEUED, JobState.RUNNING} & set(states):
                return states
            await asyncio.sleep(0.05)


async def is_running(queue: Queue, identifier: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await queue.state(identifier) is not JobState.RUNNING:  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.02)


async def test_jobs_are_run_and_their_results_stored(queue: Queue, make: Make) -> None:
    async with running(make()) as engine:
        assert engine.alive
        identifier = await queue.add(kind="plain", parameters={"result": {"a": 1}})
        assert await finished(queue, identifier) == [JobState.SUCCEEDED]
        row = await queue.job(identifier)
        assert (row.result, row.attempts, row.lease_until) == ({"a": 1}, 1, None)
    assert not engine.alive


async def test_a_commit_of_this_process_wakes_the_engine(queue: Queue, make: Make) -> None:
    """It polls once a minute here, so a job that ends was not found by polling."""
    async with running(make(RARE_POLLS)):
        await asyncio.sleep(0.3)
        assert await finished(queue, await queue.add(kind="plain")) == [JobState.SUCCEEDED]


async def test_a_job_that_was_queued_while_no_engine_ran_is_run(queue: Queue, make: Make) -> None:
    identifier = await queue.add(kind="plain")
    async with running(make()):
        assert await finished(queue, identifier) == [JobState.SUCCEEDED]


async def test_no_more_jobs_run_at_once_than_allowed(queue: Queue, make: Make) -> None:
    identifiers = [await queue.add(kind="plain", parameters={"seconds": 0.1}) for _ in range(8)]
    most = 0
    async with running(make(replace(OPTIONS, concurrency=2))) as engine:
        while {await queue.state(identifier) for identifier in identifiers} != {JobState.SUCCEEDED}:
            most = max(most, engine.running)
            await asyncio.sleep(0.01)
    assert most == 2


async def test_failures_are_tried_again_and_end_as_dead_letters_that_say_why(queue: Queue, make: Make) -> None:
    mended = await queue.add(kind="fail", parameters={"failures": 2})
    hopeless = await queue.add(kind="fail", parameters={"failures": 9}, max_attempts=2)
    broken = await queue.add(kind="broken", max_attempts=1)
    unknown = await queue.add(kind="unheard-of", max_attempts=1)
    slow = await queue.add(kind="short", parameters={"seconds": 9}, max_attempts=1)
    refused = await queue.add(kind="nul")
    async with running(make()):
        states = await finished(queue, mended, hopeless, broken, unknown, slow, refused)
    assert states == [JobState.SUCCEEDED] + [JobState.FAILED] * 5
    assert (await queue.job(mended)).result == {"attempt": 3}
    errors = [(await queue.job(identifier)).error or {} for identifier in (hopeless, broken, unknown, slow, refused)]
    assert [error["code"] for error in errors] == ["test", "internal", "unknown-kind", "deadline", "result-refused"]
    assert errors[0]["detail"] == "Not yet. (attempt 2 of 2)"
    assert errors[1]["detail"] == "The handler raised ZeroDivisionError: see the log. (attempt 1 of 1)"


async def test_a_long_job_runs_once_beside_a_trickle_of_short_ones(queue: Queue, make: Make) -> None:
    """Three leases long: heartbeats hold it."""
    long = await queue.add(kind="effect", parameters={"seconds": OPTIONS.lease_s * 3})
    quiet = await queue.add(kind="plain", parameters={"seconds": OPTIONS.lease_s * 2})
    short = []
    async with running(make()), running(make()):
        for _ in range(15):
            short.append(await queue.add(kind="effect"))
            await asyncio.sleep(0.15)
        assert set(await finished(queue, long, quiet, *short)) == {JobState.SUCCEEDED}
    effects = await effects_of(queue.database)
    assert {len(effects[identifier]) for identifier in (long, *short)} == {1}
    assert [(await queue.job(identifier)).attempts for identifier in (long, quiet)] == [1, 1]


async def test_a_running_job_is_cancelled_at_its_next_heartbeat(queue: Queue, make: Make) -> None:
    """One that reports progress, and one that only sleeps."""
    reporting = await queue.add(kind="effect", parameters={"seconds": 60, "progress": True})
    sleeping = await queue.add(kind="plain", parameters={"seconds": 60})
    async with running(make()):
        for identifier in (reporting, sleeping):
            await is_running(queue, identifier)
            await queue.do(lambda session, job=identifier: cancel_job(session, principal_of(), ORIGIN, job))  # type: ignore[misc]
        assert await finished(queue, reporting, sleeping) == [JobState.CANCELLED] * 2
    assert await effects_of(queue.database) == {}


async def test_a_job_that_is_taken_away_is_stopped_and_its_effect_happens_once(queue: Queue, make: Make) -> None:
    identifier = await queue.add(kind="effect", parameters={"seconds": 1.0})
    async with running(make()) as engine:
        await is_running(queue, identifier)
        later = queue.at + timedelta(hours=1)
        await queue.do(lambda session: sweep_expired(session, at=later, pause=-3_600))
        assert await finished(queue, identifier) == [JobState.SUCCEEDED]
        await until(lambda: engine.running == 0)
    assert [len(rows) for rows in (await effects_of(queue.database)).values()] == [1]


async def test_stopping_lets_short_jobs_finish_and_gives_long_ones_back(queue: Queue, make: Make) -> None:
    short = await queue.add(kind="plain", parameters={"seconds": 0.5})
    long = await queue.add(kind="plain", parameters={"seconds": 60})
    async with running(make(replace(OPTIONS, stop_s=1.5, lease_s=30))):
        await is_running(queue, short)
        await is_running(queue, long)
    assert await queue.state(short) is JobState.SUCCEEDED
    row = await queue.job(long)
    assert (row.state, row.attempts, row.worker) == ("queued", 0, None)


async def test_an_engine_survives_an_outage_of_the_database(
    queue: Queue, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make()) as engine:
        await finished(queue, await queue.add(kind="plain"))
        writing, out = Database.writing, True

        @asynccontextmanager
        async def failing(database: Database) -> AsyncIterator[object]:
            if out:
                raise Unavailable("The database does not answer.")
            async with writing(database) as session:
                yield session

        identifier = await queue.add(kind="effect", parameters={"seconds": 0.3})
        await is_running(queue, identifier)
        monkeypatch.setattr(Database, "writing", failing)
        await asyncio.sleep(OPTIONS.lease_s * 1.5)
        assert engine.alive
        out = False
        assert await finished(queue, identifier) == [JobState.SUCCEEDED]
        assert await finished(queue, await queue.add(kind="plain")) == [JobState.SUCCEEDED]
    assert [len(rows) for rows in (await effects_of(queue.database)).values()] == [1]


async def test_schedules_start_and_urgent_jobs_go_first(queue: Queue, make: Make) -> None:
    order = [
        await queue.add(kind="effect", priority=priority)
        for priority in (Priority.MAINTENANCE, Priority.PERSON, Priority.BATCH)
    ]
    async with running(make(replace(OPTIONS, concurrency=1))):
        await finished(queue, *order)
    effects = await effects_of(queue.database)
    assert sorted(effects, key=lambda job: effects[job][0].id) == [order[1], order[2], order[0]]
