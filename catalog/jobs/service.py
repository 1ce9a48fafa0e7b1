"""Use cases of people: list, read, cancel and retry the jobs of their tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import NotPermitted, ResourceConflict, ResourceNotFound
from catalog.core.job_state import JobState, may_cancel, may_retry
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.jobs.enqueue import count_queued, find_unfinished
from catalog.jobs.lanes import change_lane
from catalog.records.base import now
from catalog.records.job import Job
from catalog.records.uuid7 import is_uuid7
from proxy.core.identifiers import TenantName


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None means all."""

    state: JobState | None = None
    kind: str | None = None
    image: str | None = None


async def list_jobs(
    session: AsyncSession,
    tenant: TenantName,
    wanted: JobFilter,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> Sequence[Job]:
    """Return a tenant's jobs, the newest first, behind the position `after`."""
    query = select(Job).where(Job.tenant == tenant).order_by(col(Job.created_at).desc(), col(Job.id).desc())
    if wanted.state is not None:
        query = query.where(Job.state == wanted.state.value)
    if wanted.kind is not None:
        query = query.where(Job.kind == wanted.kind)
    if wanted.image is not None:
        query = query.where(Job.image == wanted.image)
    if after is not None:
        query = query.where(tuple_(col(Job.created_at), col(Job.id)) < tuple_(*after))
    return (await session.scalars(query.limit(limit))).all()


async def find_job(session: AsyncSession, tenant: TenantName, identifier: str) -> Job:
    """Return one of a tenant's jobs. Raise ResourceNotFound if there is none."""
    row = await session.get(Job, identifier) if is_uuid7(identifier) else None
    if row is None or row.tenant != tenant:
        raise ResourceNotFound("There is no such job.")
    return row


async def cancel_job(session: AsyncSession, principal: Principal, origin: Origin, identifier: str) -> Job:
    """Cancel a queued job, or ask a running one to stop at its next heartbeat. Asking again changes nothing.

    Raise ResourceNotFound, NotPermitted for a job of another, and ResourceConflict for one that is finished.
    """
    row = await _own(session, principal, identifier)
    if not may_cancel(JobState(row.state)):
        raise ResourceConflict(f"The job is {row.state} already: only a queued or running job can be cancelled.")
    if row.cancel_requested:
        return row
    before = row.state
    row.cancel_requested = True
    if before == JobState.QUEUED.value:
        row.state = JobState.CANCELLED.value
        row.finished_at = now()
        change_lane(session, row.tenant, row.priority, ready=-1)
    await record(session, principal, origin, "job.cancelled", ("job", row.id), before={"state": before})
    return row


async def retry_job(session: AsyncSession, principal: Principal, origin: Origin, identifier: str) -> Job:
    """Queue a failed or cancelled job again, with all its attempts.

    Raise ResourceNotFound, NotPermitted for a job of another, and ResourceConflict for one in another state, or while
    another job does the same work.
    """
    row = await _own(session, principal, identifier)
    before = row.state
    if not may_retry(JobState(before)):
        raise ResourceConflict(f"The job is {before}: only a failed or cancelled job can be retried.")
    if row.dedupe_key is not None and await find_unfinished(session, row.tenant, row.dedupe_key) is not None:
        raise ResourceConflict("Another job does the same work already: wait for it.")
    row.state = JobState.QUEUED.value
    row.attempts = row.done = 0
    row.total = row.result = row.error = None
    row.started_at = row.finished_at = row.worker = None
    row.cancel_requested = False
    row.run_at = now()
    count_queued(session, row)
    await record(session, principal, origin, "job.retried", ("job", row.id), before={"state": before})
    return row


async def _own(session: AsyncSession, principal: Principal, identifier: str) -> Job:
    """Return a job of the tenant that the principal may change, locked. Raise ResourceNotFound, NotPermitted."""
    query = select(Job).where(Job.id == identifier, Job.tenant == principal.tenant).with_for_update()
    known = is_uuid7(identifier)
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none() if known else None
    if row is None:
        raise ResourceNotFound("There is no such job.")
    if not principal.may_change(row.created_by):
        raise NotPermitted("The job was started by another: ask its owner or an editor.")
    return row
