"""Schedules and lanes: once per period, and counters that come right again."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.core.job_state import Priority
from catalog.jobs.enqueue import System, enqueue
from catalog.jobs.lanes import add_missing_lanes, list_lanes, reconcile_lane
from catalog.jobs.schedules import Recurring, start_due
from catalog.records.job import Job, Lane
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO

HOUR = timedelta(hours=1)


async def _enqueue(session: AsyncSession) -> None:
    await enqueue(session, System(ACME), "cleanup", {}, Priority.MAINTENANCE)


async def _count_jobs(queue: Queue) -> int:
    async with queue.database.reading() as session:
        return len((await session.scalars(select(Job.id))).all())


async def test_nodes_that_ask_at_once_start_a_schedule_once_per_period(queue: Queue) -> None:
    hourly = [Recurring("cleanup", HOUR, _enqueue)]
    for period in range(3):
        at = queue.at + period * HOUR
        started = await asyncio.gather(*(start_due(queue.database, hourly, at=at) for _ in range(6)))
        assert sorted(started) == [[]] * 5 + [["cleanup"]]
        assert await start_due(queue.database, hourly, at=at + HOUR - timedelta(seconds=1)) == []
    assert await _count_jobs(queue) == 3


async def test_periods_that_passed_with_no_node_up_are_not_made_up_for(queue: Queue) -> None:
    hourly = [Recurring("cleanup", HOUR, _enqueue)]
    for hours, started in ((0, ["cleanup"]), (5.5, ["cleanup"]), (5.9, []), (6, ["cleanup"])):
        assert await start_due(queue.database, hourly, at=queue.at + hours * HOUR) == started


async def test_a_schedule_whose_start_fails_is_due_again(queue: Queue) -> None:
    async def fail(session: AsyncSession) -> None:
        await _enqueue(session)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await start_due(queue.database, [Recurring("cleanup", HOUR, fail)], at=queue.at)
    assert await _count_jobs(queue) == 0
    assert await start_due(queue.database, [Recurring("cleanup", HOUR, _enqueue)], at=queue.at) == ["cleanup"]


@pytest.mark.parametrize("damage", ["too low", "too high", "gone"])
async def test_lanes_are_reconciled_with_the_jobs(queue: Queue, damage: str) -> None:
    for _ in range(3):
        await queue.add()
    await queue.claim_one()
    await queue.add(ZOO, Priority.BATCH)
    right = await queue.lanes()
    async with queue.database.writing() as session:
        if damage == "gone":
            await session.execute(delete(Lane))
        else:
            value = 0 if damage == "too low" else 50
            await session.execute(update(Lane).values(ready=value, running=value))
    await queue.do(add_missing_lanes)
    async with queue.database.reading() as session:
        lanes = await list_lanes(session)
    corrected = []
    for lane in lanes:
        async with queue.database.writing() as session:
            corrected.append(await reconcile_lane(session, *lane))
    assert any(corrected)
    assert await queue.lanes() == right
    assert len(await queue.claim(10)) == 3
