"""What a worker writes about a job that it holds. Every write checks the fencing token and the state.

A worker whose lease ran out, because it was stopped, killed or cut off, finds that its token is old: LeaseLost.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from sqlalchemy import BigInteger, String, bindparam, literal_column, null, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.job_state import JobState, pause_s
from catalog.jobs.claim import LEASE_S, JobRef
from catalog.jobs.documents import check_document, error_document
from catalog.jobs.enqueue import count_queued
from catalog.jobs.errors import JobCancelled, JobFailed, LeaseLost
from catalog.jobs.lanes import RUNNING, change_lane
from catalog.records.base import Json, UtcDateTime, now
from catalog.records.job import Job

LARGEST_COUNT = 2**31 - 1
_JOB: Final = Job.metadata.tables["job"].c
_SUCCEEDING: Final = (
    update(Job.metadata.tables["job"])
    .where(
        _JOB.id == bindparam("p_id", type_=String()),
        _JOB.token == bindparam("p_token", type_=BigInteger()),
        _JOB.state == literal_column(f"'{JobState.RUNNING.value}'"),
    )
    .values(
        state=literal_column(f"'{JobState.SUCCEEDED.value}'"),
        result=bindparam("p_result", type_=Json),
        error=null(),
        finished_at=bindparam("p_finished_at", type_=UtcDateTime()),
        lease_until=null(),
    )
    .returning(_JOB.tenant, _JOB.priority)
)
"""Built once, because it is written for every job: building it takes longer than running it."""


class Heartbeat(Enum):
    """What a worker learns when it extends its lease."""

    HELD = "held"
    CANCEL_REQUESTED = "cancel requested"
    LOST = "lost"


async def heartbeat(
    session: AsyncSession, job: JobRef, *, lease_s: float = LEASE_S, at: datetime | None = None
) -> Heartbeat:
    """Extend the lease, and return whether the job was asked to stop or belongs to another."""
    return await _extend(session, job, {"lease_until": _lease_end(lease_s, at)})


async def progress(  # noqa: PLR0913 - as above, and the two numbers
    session: AsyncSession,
    job: JobRef,
    done: int,
    total: int | None,
    *,
    lease_s: float = LEASE_S,
    at: datetime | None = None,
) -> Heartbeat:
    """Record how far the job is, and extend the lease."""
    values = {"done": _bounded(done), "total": None if total is None else _bounded(total)}
    return await _extend(session, job, values | {"lease_until": _lease_end(lease_s, at)})


async def fence(session: AsyncSession, job: JobRef, *, lease_s: float = LEASE_S, at: datetime | None = None) -> None:
    """Lock the job's row until the transaction ends, so that nobody takes the job away meanwhile.

    Raise LeaseLost or JobCancelled.
    """
    answer = await heartbeat(session, job, lease_s=lease_s, at=at)
    if answer is Heartbeat.LOST:
        raise LeaseLost
    if answer is Heartbeat.CANCEL_REQUESTED:
        raise JobCancelled


async def succeed(session: AsyncSession, job: JobRef, result: Mapping[str, Any], *, at: datetime | None = None) -> None:
    """Finish the job with its result. Raise LeaseLost, or DocumentRefused for a result that cannot be stored."""
    document = check_document(result, "result")
    connection = await session.connection()
    parameters = {"p_id": job.id, "p_token": job.token, "p_result": document, "p_finished_at": at or now()}
    row = (await connection.execute(_SUCCEEDING, parameters)).one_or_none()
    if row is None:
        raise LeaseLost
    change_lane(session, row.tenant, row.priority, running=-1)


async def fail(
    session: AsyncSession, job: JobRef, failure: JobFailed, *, pause: float | None = None, at: datetime | None = None
) -> JobState:
    """Record a failed attempt: queue the job again after a pause in seconds, or make it a dead letter.

    It is one when its attempts are used up, or the failure says that another attempt is of no use. Return the state
    that the job is in now. Raise LeaseLost.
    """
    return _fail(session, await _held(session, job), failure, pause, at or now())


async def stop_cancelled(session: AsyncSession, job: JobRef, *, at: datetime | None = None) -> None:
    """Finish a job that was asked to stop. Raise LeaseLost."""
    _finish(session, await _held(session, job), JobState.CANCELLED, at or now())


async def release(session: AsyncSession, job: JobRef) -> None:
    """Give a job back without counting the attempt, as at shutdown. Raise LeaseLost."""
    row = await _held(session, job)
    row.attempts = max(0, row.attempts - 1)
    _queue_again(session, row)


def give_up(session: AsyncSession, row: Job, pause: float | None, at: datetime) -> JobState:
    """Take a running job, whose row is locked, from a worker that is gone; return the state that it is in now."""
    detail = "The worker stopped or was killed, or the database was out of its reach for longer than the lease."
    return _fail(session, row, JobFailed("worker-lost", detail), pause, at)


def _fail(session: AsyncSession, row: Job, failure: JobFailed, pause: float | None, at: datetime) -> JobState:
    last = not failure.retry or row.attempts >= row.max_attempts
    suffix = f" (attempt {row.attempts} of {row.max_attempts})"
    row.error = error_document(failure.code, f"{failure.detail}{suffix}")
    if row.cancel_requested:
        return _finish(session, row, JobState.CANCELLED, at)
    if last:
        return _finish(session, row, JobState.FAILED, at)
    row.run_at = at + timedelta(seconds=pause_s(row.attempts) if pause is None else pause)
    return _queue_again(session, row)


def _queue_again(session: AsyncSession, row: Job) -> JobState:
    row.state = JobState.QUEUED.value
    row.lease_until = row.worker = None
    change_lane(session, row.tenant, row.priority, running=-1)
    count_queued(session, row)
    return JobState.QUEUED


def _finish(session: AsyncSession, row: Job, state: JobState, at: datetime) -> JobState:
    row.state = state.value
    row.finished_at = at
    row.lease_until = None
    change_lane(session, row.tenant, row.priority, running=-1)
    return state


async def _held(session: AsyncSession, job: JobRef) -> Job:
    """Return the job's row, locked. Raise LeaseLost if the worker does not hold it."""
    query = select(Job).where(Job.id == job.id, Job.token == job.token, RUNNING).with_for_update()
    row = (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()
    if row is None:
        raise LeaseLost
    return row


async def _extend(session: AsyncSession, job: JobRef, values: Mapping[str, Any]) -> Heartbeat:
    held = (col(Job.id) == job.id, col(Job.token) == job.token, RUNNING)
    statement = update(Job).where(*held).values(**values).returning(col(Job.cancel_requested))
    row = (await session.execute(statement, execution_options={"synchronize_session": False})).one_or_none()
    if row is None:
        return Heartbeat.LOST
    return Heartbeat.CANCEL_REQUESTED if row[0] else Heartbeat.HELD


def _lease_end(lease_s: float, at: datetime | None) -> datetime:
    return (at or now()) + timedelta(seconds=lease_s)


def _bounded(number: int) -> int:
    return max(0, min(LARGEST_COUNT, number))
