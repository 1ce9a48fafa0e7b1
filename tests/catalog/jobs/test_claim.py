"""What is claimed next: priority, age, fairness between tenants; and that nothing is claimed twice."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import update
from sqlmodel import col

from catalog.core.job_state import AGEING_S, Priority
from catalog.jobs.claim import LaneState, share_out
from catalog.jobs.enqueue import System, enqueue
from catalog.records.job import Job, Lane
from tests.catalog.jobs.backlog import add_backlog
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO

BACKLOG = 100_000


async def test_a_claim_counts_attempt_and_token_and_sets_the_lease(queue: Queue) -> None:
    identifier = await queue.add(parameters={"n": 1})
    claimed = await queue.claim_one()
    assert (claimed.ref.id, claimed.ref.token, claimed.attempt, claimed.parameters) == (identifier, 1, 1, {"n": 1})
    job = await queue.job(identifier)
    assert (job.state, job.worker, job.started_at) == ("running", "w1", queue.at)
    assert job.lease_until is not None
    assert job.lease_until > queue.at
    assert await queue.lanes() == {(ACME, 1): (0, 1)}
    assert await queue.claim() == []


async def test_jobs_of_a_lane_run_in_their_order(queue: Queue) -> None:
    added = [await queue.add() for _ in range(5)]
    first = await queue.claim(2)
    rest = await queue.claim(10)
    assert [job.ref.id for job in first + rest] == added


async def test_the_more_urgent_priority_goes_first(queue: Queue) -> None:
    for priority in (Priority.MAINTENANCE, Priority.PERSON, Priority.BATCH, Priority.PIPELINE):
        await queue.add(priority=priority)
    assert [job.priority for job in await queue.claim(4)] == [0, 1, 2, 3]


async def test_a_job_does_not_run_before_its_time(queue: Queue) -> None:
    queue.pass_time(-10)
    await queue.add(priority=Priority.PERSON)
    queue.pass_time(5)
    later = await queue.add(priority=Priority.PERSON)
    queue.pass_time(-5)
    assert len(await queue.claim(5)) == 1
    assert await queue.claim(5) == []
    queue.pass_time(5)
    assert [job.ref.id for job in await queue.claim(5)] == [later]


async def test_a_job_that_has_waited_long_goes_before_a_persons_newer_one(queue: Queue) -> None:
    old = await queue.add(priority=Priority.MAINTENANCE)
    queue.pass_time(3 * AGEING_S - 1)
    young = await queue.add(ZOO, priority=Priority.PERSON)
    first = await queue.claim_one()
    assert first.ref.id == young
    young = await queue.add(ZOO, priority=Priority.PERSON)
    queue.pass_time(1)
    assert (await queue.claim_one()).ref.id == old
    assert (await queue.claim_one()).ref.id == young


async def test_a_lane_ages_by_its_oldest_job_that_is_left(queue: Queue) -> None:
    await queue.add(priority=Priority.BATCH)
    queue.pass_time(2 * AGEING_S)
    await queue.add(priority=Priority.BATCH)
    await queue.claim_one()
    await queue.add(ZOO, priority=Priority.PIPELINE)
    assert (await queue.claim_one()).tenant == ZOO


async def test_a_tenant_with_a_huge_backlog_delays_another_by_one_claim(queue: Queue) -> None:
    await add_backlog(queue.database, {ACME: BACKLOG}, queue.at)
    for _ in range(3):
        assert (await queue.claim_one()).tenant == ACME
    queue.pass_time(1)
    await queue.add(ZOO)
    assert (await queue.claim_one()).tenant == ZOO


async def test_lanes_are_served_in_turn(queue: Queue) -> None:
    await add_backlog(queue.database, {ACME: 20, ZOO: 20}, queue.at)
    order = []
    for _ in range(6):
        order += [job.tenant for job in await queue.claim(1)]
        queue.pass_time(0.001)
    assert order == [ACME, ZOO] * 3
    assert Counter(job.tenant for job in await queue.claim(10)) == {ACME: 5, ZOO: 5}


async def test_claims_at_once_never_take_a_job_twice_and_leave_none(queue: Queue) -> None:
    await add_backlog(queue.database, {ACME: 60, ZOO: 60}, queue.at)

    async def work(worker: str) -> list[str]:
        taken: list[str] = []
        while jobs := await queue.claim(3, worker):
            taken += [job.ref.id for job in jobs]
        return taken

    taken = [identifier for part in await asyncio.gather(*map(work, "abcd")) for identifier in part]
    taken += await work("e")
    assert len(taken) == len(set(taken)) == 120
    assert await queue.lanes() == {(ACME, 1): (0, 60), (ZOO, 1): (0, 60)}


async def test_claims_and_changes_of_many_lanes_at_once_do_not_wait_in_a_circle(queue: Queue) -> None:
    """A claim that waited for one lane while it holds others could; PostgreSQL would end one by its deadlock."""
    for tenant in (ACME, ZOO):
        for priority in Priority:
            await queue.add(tenant, priority)

    async def enqueue_in_all_lanes() -> None:
        async with queue.database.writing() as session:
            for tenant in (ZOO, ACME):
                for priority in Priority:
                    await enqueue(session, System(tenant), "test", {}, priority, run_at=queue.at)

    async def work() -> int:
        taken = 0
        for _ in range(5):
            jobs = await queue.claim(6)
            await enqueue_in_all_lanes()
            for job in jobs:
                await queue.succeed(job.ref)
            taken += len(jobs)
        return taken

    taken = sum(await asyncio.gather(*(work() for _ in range(4))))
    lanes = await queue.lanes()
    assert sum(ready for ready, _ in lanes.values()) == 8 + 4 * 5 * 8 - taken
    assert sum(running for _, running in lanes.values()) == 0


@pytest.mark.parametrize("ready", [5, 1])
async def test_a_lane_whose_counter_is_wrong_is_corrected_by_a_claim(queue: Queue, ready: int) -> None:
    for _ in range(3):
        await queue.add()
    await queue.add(ZOO)
    async with queue.database.writing() as session:
        await session.execute(update(Lane).values(ready=ready))
        await session.execute(update(Job).where(col(Job.tenant) == ZOO).values(state="cancelled"))
    assert len(await queue.claim(10)) + len(await queue.claim(10)) + len(await queue.claim(10)) == 3
    assert await queue.lanes() == {(ACME, 1): (0, 3), (ZOO, 1): (0, 0)}


@pytest.mark.parametrize(
    ("lanes", "count", "shares"),
    [
        ([("a", 0, 9), ("b", 0, 9)], 3, {"a": 2, "b": 1}),
        ([("a", 0, 1), ("b", 0, 9)], 4, {"a": 1, "b": 3}),
        ([("a", 0, 2), ("b", 1, 9)], 4, {"a": 2, "b": 2}),
        ([("a", 0, 9), ("b", 1, 9)], 4, {"a": 4}),
        ([("a", 0, 1)], 4, {"a": 1}),
        ([], 4, {}),
    ],
)
def test_shares(lanes: list[tuple[str, int, int]], count: int, shares: dict[str, int]) -> None:
    states = [LaneState(tenant, effective, ready, effective) for tenant, effective, ready in lanes]
    assert {lane.tenant: share for lane, share in share_out(states, count)} == shares
