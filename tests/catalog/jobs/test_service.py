"""Use cases of people: list, read, cancel, retry."""

import pytest
from sqlmodel import select

from catalog.core.api_errors import NotPermitted, ResourceConflict, ResourceNotFound
from catalog.core.job_state import JobState
from catalog.core.roles import Principal, Role
from catalog.jobs.errors import JobFailed
from catalog.jobs.service import JobFilter, cancel_job, find_job, list_jobs, retry_job
from catalog.records.audit_event import AuditEvent
from catalog.records.uuid7 import new_uuid
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ORIGIN, ZOO, principal_of

EDITOR = principal_of()
OWNER = principal_of(Role.CONTRIBUTOR, subject="token:owner")


async def cancel(queue: Queue, identifier: str, principal: Principal = EDITOR) -> str:
    return (await queue.do(lambda session: cancel_job(session, principal, ORIGIN, identifier))).state


async def retry(queue: Queue, identifier: str, principal: Principal = EDITOR) -> str:
    return (await queue.do(lambda session: retry_job(session, principal, ORIGIN, identifier))).state


async def dead_letter(queue: Queue, **how: str) -> str:
    identifier = await queue.add(**how)  # type: ignore[arg-type]
    await queue.fail((await queue.claim_one()).ref, JobFailed("test", "No.", retry=False))
    return identifier


async def test_jobs_are_listed_by_tenant_and_filter_the_newest_first(queue: Queue) -> None:
    image = new_uuid()
    first = await queue.add(kind="a")
    second = await queue.add(kind="b", image=image)
    third = await queue.add(kind="a", image=image)
    foreign = await queue.add(ZOO)
    await queue.claim_one()

    async def ids(wanted: JobFilter = JobFilter(), limit: int = 10, after: str | None = None) -> list[str]:  # noqa: B008 - frozen
        position = None if after is None else ((await queue.job(after)).created_at, after)
        async with queue.database.reading() as session:
            return [row.id for row in await list_jobs(session, ACME, wanted, limit, position)]

    assert await ids() == [third, second, first]
    assert await ids(limit=1) == [third]
    assert await ids(after=third) == [second, first]
    assert await ids(JobFilter(kind="a")) == [third, first]
    assert await ids(JobFilter(image=image)) == [third, second]
    assert await ids(JobFilter(state=JobState.RUNNING)) == [first]
    assert await ids(JobFilter(JobState.QUEUED, "a", image)) == [third]
    async with queue.database.reading() as session:
        assert (await find_job(session, ACME, first)).id == first
        for absent in (foreign, "nonsense"):
            with pytest.raises(ResourceNotFound):
                await find_job(session, ACME, absent)


async def test_a_queued_job_is_cancelled_at_once(queue: Queue) -> None:
    identifier = await queue.add()
    assert await cancel(queue, identifier) == "cancelled"
    assert (await queue.job(identifier)).finished_at is not None
    assert await queue.claim() == []
    assert await queue.lanes() == {(ACME, 1): (0, 0)}
    async with queue.database.reading() as session:
        event = (await session.scalars(select(AuditEvent))).one()
    assert (event.action, event.subject_id, event.before) == ("job.cancelled", identifier, {"state": "queued"})


async def test_a_running_job_is_asked_once(queue: Queue) -> None:
    identifier = (await queue.claim_one_of_new()).ref.id
    assert [await cancel(queue, identifier) for _ in range(2)] == ["running", "running"]
    async with queue.database.reading() as session:
        assert len((await session.scalars(select(AuditEvent))).all()) == 1


async def test_a_dead_letter_is_retried_with_all_its_attempts(queue: Queue) -> None:
    identifier = await dead_letter(queue)
    assert await retry(queue, identifier) == "queued"
    row = await queue.job(identifier)
    assert (row.attempts, row.error, row.finished_at, row.started_at) == (0, None, None, None)
    queue.at = row.run_at
    job = await queue.claim_one()
    assert (job.ref.id, job.attempt, job.ref.token) == (identifier, 1, 2)
    await queue.succeed(job.ref)
    assert await queue.lanes() == {(ACME, 1): (0, 0)}


async def test_a_cancelled_job_can_be_retried_and_then_is_not_cancelled_any_more(queue: Queue) -> None:
    identifier = await queue.add()
    await cancel(queue, identifier)
    assert await retry(queue, identifier) == "queued"
    assert not (await queue.job(identifier)).cancel_requested


async def test_what_does_not_fit_the_state_is_a_conflict(queue: Queue) -> None:
    queued = await queue.add()
    for _ in range(2):
        with pytest.raises(ResourceConflict, match="queued"):
            await retry(queue, queued)
    await queue.succeed((await queue.claim_one()).ref)
    with pytest.raises(ResourceConflict, match="succeeded"):
        await cancel(queue, queued)
    with pytest.raises(ResourceConflict, match="succeeded"):
        await retry(queue, queued)


async def test_a_dead_letter_whose_work_is_queued_again_is_not_retried(queue: Queue) -> None:
    identifier = await dead_letter(queue, dedupe_key="k")
    await queue.add(dedupe_key="k")
    with pytest.raises(ResourceConflict, match="same work"):
        await retry(queue, identifier)


async def test_a_contributor_changes_own_jobs_only(queue: Queue) -> None:
    own, foreign = await queue.add(subject=OWNER.subject), await queue.add()
    assert await cancel(queue, own, OWNER) == "cancelled"
    assert await retry(queue, own, OWNER) == "queued"
    with pytest.raises(NotPermitted):
        await cancel(queue, foreign, OWNER)


async def test_a_job_of_another_tenant_is_not_there(queue: Queue) -> None:
    identifier = await queue.add(ZOO)
    with pytest.raises(ResourceNotFound):
        await cancel(queue, identifier)
    with pytest.raises(ResourceNotFound):
        await retry(queue, identifier)
