"""Queueing jobs: in the caller's transaction, once per dedupe key, counted into lanes."""

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from catalog.core.job_state import JobState, Priority
from catalog.jobs.documents import MAX_DOCUMENT_BYTES
from catalog.jobs.enqueue import System, enqueue
from catalog.jobs.errors import DocumentRefused
from catalog.jobs.notification import notified
from catalog.records.job import Job
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO


async def test_a_job_is_queued_and_counted(queue: Queue) -> None:
    identifier = await queue.add(parameters={"n": 1}, image="0190f5fe-0000-7000-8000-000000000000", max_attempts=3)
    job = await queue.job(identifier)
    assert (job.state, job.parameters, job.attempts, job.max_attempts, job.done, job.total) == (
        "queued",
        {"n": 1},
        0,
        3,
        0,
        None,
    )
    assert (job.tenant, job.created_by, job.kind) == (ACME, "system", "test")
    assert await queue.lanes() == {(ACME, Priority.PIPELINE): (1, 0)}


async def test_a_job_of_a_transaction_that_fails_does_not_exist(queue: Queue) -> None:
    async def fail() -> None:
        async with queue.database.writing() as session:
            await enqueue(session, System(ACME), "test", {}, Priority.PERSON)
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await queue.lanes() == {}
    assert await queue.claim() == []


async def test_listeners_hear_of_jobs_after_the_commit_only(queue: Queue) -> None:
    heard = 0

    def listen() -> None:
        nonlocal heard
        heard += 1

    with notified(queue.database, listen):
        async with queue.database.writing() as session:
            await enqueue(session, System(ACME), "test", {}, Priority.PERSON)
            await session.flush()
            assert heard == 0
        assert heard == 1
        async with queue.database.writing() as session:
            await session.scalars(select(Job))
        assert heard == 1
    await queue.add()
    assert heard == 1


async def test_a_dedupe_key_gives_the_unfinished_job_of_the_tenant(queue: Queue) -> None:
    first = await queue.add(dedupe_key="k")
    assert await queue.add(dedupe_key="k") == first
    assert await queue.add(ZOO, dedupe_key="k") != first
    claimed = await queue.claim_one()
    assert claimed.ref.id == first
    assert await queue.add(dedupe_key="k") == first
    await queue.succeed(claimed.ref)
    second = await queue.add(dedupe_key="k")
    assert second != first
    assert await queue.state(second) is JobState.QUEUED
    assert await queue.lanes() == {(ACME, 1): (1, 0), (ZOO, 1): (1, 0)}


async def test_many_that_enqueue_one_key_at_once_get_one_job(queue: Queue) -> None:
    identifiers = await asyncio.gather(*(queue.add(dedupe_key="k") for _ in range(20)))
    assert len(set(identifiers)) == 1
    assert await queue.lanes() == {(ACME, 1): (1, 0)}


async def test_transactions_that_enqueue_in_opposite_orders_do_not_wait_in_a_circle(queue: Queue) -> None:
    """Lanes are locked at the end and in order; locked when enqueued, PostgreSQL ends one of these by its deadlock."""

    async def work(priorities: list[Priority]) -> None:
        async with queue.database.writing() as session:
            for priority in priorities:
                await enqueue(session, System(ACME), "test", {}, priority)
                await session.flush()
                await asyncio.sleep(0.002)

    there = [Priority.PERSON, Priority.BATCH]
    await asyncio.gather(*(work(there if number % 2 else there[::-1]) for number in range(10)))
    assert await queue.lanes() == {(ACME, 0): (10, 0), (ACME, 2): (10, 0)}


@pytest.mark.parametrize(
    "parameters",
    [
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"text": "x" * MAX_DOCUMENT_BYTES},
        {"number": float("nan")},
        {"object": object()},
    ],
    ids=["nul", "surrogate", "large", "nan", "object"],
)
async def test_parameters_that_cannot_be_stored_are_refused(queue: Queue, parameters: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused):
        await queue.add(parameters=parameters)
