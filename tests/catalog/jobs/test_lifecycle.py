"""What a worker writes: fenced by its token, counted in lanes, and undone for workers that are gone."""

from datetime import timedelta

import pytest

from catalog.core.job_state import JobState, pause_s
from catalog.jobs.errors import DocumentRefused, JobCancelled, JobFailed, LeaseLost
from catalog.jobs.lifecycle import Heartbeat, fence, release, stop_cancelled
from catalog.jobs.service import cancel_job
from catalog.jobs.sweep import DEAD_LETTER_RETENTION, RETENTION, Swept, delete_finished
from catalog.records.database import Database
from tests.catalog.jobs.queue import LEASE_S, Queue
from tests.catalog.samples import ACME, ORIGIN, principal_of

LANE = (ACME, 1)
FAILURE = JobFailed("test", "It did not work.")


async def ask_to_cancel(queue: Queue, identifier: str) -> None:
    await queue.do(lambda session: cancel_job(session, principal_of(), ORIGIN, identifier))


async def test_a_heartbeat_extends_the_lease(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    queue.pass_time(LEASE_S - 1)
    assert await queue.heartbeat(job.ref) is Heartbeat.HELD
    queue.pass_time(LEASE_S - 1)
    assert await queue.sweep() == Swept()
    queue.pass_time(2)
    assert await queue.sweep() == Swept(queued=1)


async def test_progress_is_recorded_and_extends_the_lease(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    queue.pass_time(LEASE_S - 1)
    assert await queue.progress(job.ref, 3, 10) is Heartbeat.HELD
    queue.pass_time(2)
    assert await queue.sweep() == Swept()
    row = await queue.job(job.ref.id)
    assert (row.done, row.total) == (3, 10)
    await queue.progress(job.ref, 2**40, -1)
    row = await queue.job(job.ref.id)
    assert (row.done, row.total) == (2**31 - 1, 0)


async def test_a_job_succeeds_with_its_result(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    await queue.succeed(job.ref, {"count": 3})
    row = await queue.job(job.ref.id)
    assert (row.state, row.result, row.error, row.finished_at) == ("succeeded", {"count": 3}, None, queue.at)
    assert await queue.lanes() == {LANE: (0, 0)}


async def test_a_result_that_cannot_be_stored_is_refused_and_changes_nothing(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    with pytest.raises(DocumentRefused):
        await queue.succeed(job.ref, {"text": "\0"})
    assert await queue.state(job.ref.id) is JobState.RUNNING


async def test_a_failed_attempt_waits_longer_each_time_and_the_last_is_a_dead_letter(queue: Queue) -> None:
    identifier = await queue.add(max_attempts=3)
    for attempt in (1, 2):
        job = await queue.claim_one()
        assert job.attempt == attempt
        assert await queue.fail(job.ref, FAILURE) is JobState.QUEUED
        queue.pass_time(pause_s(attempt) - 0.5)
        assert await queue.claim() == []
        queue.pass_time(0.5)
    assert await queue.fail((await queue.claim_one()).ref, FAILURE) is JobState.FAILED
    row = await queue.job(identifier)
    assert row.error == {"code": "test", "detail": "It did not work. (attempt 3 of 3)"}
    assert (row.state, row.attempts) == ("failed", 3)
    queue.pass_time(10_000)
    assert await queue.claim() == []
    assert await queue.lanes() == {LANE: (0, 0)}


async def test_a_failure_that_no_attempt_can_mend_is_a_dead_letter_at_once(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    assert await queue.fail(job.ref, JobFailed("damaged", "Cut\0 off.", retry=False)) is JobState.FAILED
    assert (await queue.job(job.ref.id)).error == {"code": "damaged", "detail": "Cut\ufffd off. (attempt 1 of 5)"}


async def test_a_released_job_runs_again_at_once_and_its_attempt_is_not_counted(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    await queue.do(lambda session: release(session, job.ref))
    again = await queue.claim_one()
    assert (again.ref.id, again.attempt, again.ref.token) == (job.ref.id, 1, 2)


async def test_an_expired_job_is_queued_again_until_its_attempts_are_used_up(queue: Queue) -> None:
    """A job that kills its worker comes to an end: attempts are counted when it is claimed."""
    identifier = await queue.add(max_attempts=2)
    await queue.claim_one()
    queue.pass_time(LEASE_S + 1)
    assert await queue.sweep() == Swept(queued=1)
    queue.pass_time(pause_s(1))
    await queue.claim_one()
    queue.pass_time(LEASE_S + 1)
    assert await queue.sweep() == Swept(failed=1)
    row = await queue.job(identifier)
    assert row.error is not None
    assert row.error["code"] == "worker-lost"
    assert row.error["detail"].endswith("(attempt 2 of 2)")
    assert await queue.lanes() == {LANE: (0, 0)}


async def test_an_expired_job_that_was_cancelled_is_not_queued_again(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    await ask_to_cancel(queue, job.ref.id)
    queue.pass_time(LEASE_S + 1)
    assert await queue.sweep() == Swept(cancelled=1)
    assert await queue.state(job.ref.id) is JobState.CANCELLED


async def test_a_running_job_learns_at_its_next_heartbeat_that_it_was_cancelled(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    await ask_to_cancel(queue, job.ref.id)
    assert await queue.state(job.ref.id) is JobState.RUNNING
    assert await queue.heartbeat(job.ref) is Heartbeat.CANCEL_REQUESTED
    assert await queue.progress(job.ref, 1, 2) is Heartbeat.CANCEL_REQUESTED
    with pytest.raises(JobCancelled):
        await queue.do(lambda session: fence(session, job.ref))
    await queue.do(lambda session: stop_cancelled(session, job.ref, at=queue.at))
    row = await queue.job(job.ref.id)
    assert (row.state, row.finished_at) == ("cancelled", queue.at)
    assert await queue.lanes() == {LANE: (0, 0)}


async def test_a_cancelled_job_that_fails_is_not_tried_again(queue: Queue) -> None:
    job = await queue.claim_one_of_new()
    await ask_to_cancel(queue, job.ref.id)
    assert await queue.fail(job.ref, FAILURE) is JobState.CANCELLED


@pytest.mark.parametrize("then", ["queued", "running", "succeeded"])
async def test_a_worker_that_lost_its_lease_changes_nothing(queue: Queue, then: str) -> None:
    job = await queue.claim_one_of_new()
    queue.pass_time(LEASE_S + 1)
    await queue.sweep()
    queue.pass_time(1_000)
    if then != "queued":
        again = await queue.claim_one()
        if then == "succeeded":
            await queue.succeed(again.ref, {"by": "the second"})
    before = (await queue.job(job.ref.id)).model_dump()
    assert await queue.heartbeat(job.ref) is Heartbeat.LOST
    assert await queue.progress(job.ref, 1, 2) is Heartbeat.LOST
    for write in (
        queue.succeed(job.ref),
        queue.fail(job.ref, FAILURE),
        queue.do(lambda session: release(session, job.ref)),
        queue.do(lambda session: stop_cancelled(session, job.ref)),
        queue.do(lambda session: fence(session, job.ref)),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert (await queue.job(job.ref.id)).model_dump() == before


async def test_old_finished_jobs_are_deleted_dead_letters_later(queue: Queue, database: Database) -> None:
    succeeded, failed = await queue.claim_one_of_new(), await queue.claim_one_of_new()
    await queue.succeed(succeeded.ref)
    await queue.fail(failed.ref, JobFailed("test", "No.", retry=False))
    waiting = await queue.add()
    deleted = []
    for age in (RETENTION - timedelta(hours=1), RETENTION, DEAD_LETTER_RETENTION):
        at = queue.at + age + timedelta(seconds=1)
        deleted.append(await queue.do(lambda session, at=at: delete_finished(session, at=at)))  # type: ignore[misc]
    assert deleted == [0, 1, 1]
    assert await queue.state(waiting) is JobState.QUEUED
