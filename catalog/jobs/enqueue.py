"""Putting jobs into the queue, in the transaction of the change that wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.job_state import JobState, Priority
from catalog.jobs.documents import check_document
from catalog.jobs.lanes import change_lane
from catalog.jobs.notification import notify_after_commit
from catalog.records.base import now
from catalog.records.job import Job
from catalog.records.render_records import insert
from catalog.records.uuid7 import new_uuid
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

MAX_ATTEMPTS: Final = 5
_UNFINISHED: Final = (JobState.QUEUED.value, JobState.RUNNING.value)
_INSERTS: Final = 5


class Owner(Protocol):
    """On whose behalf a job runs; a `Principal` is one."""

    @property
    def tenant(self) -> TenantName:
        """The tenant that the job belongs to."""

    @property
    def subject(self) -> str:
        """What `created_by` says."""


@dataclass(frozen=True, slots=True)
class System:
    """The installation itself, working for a tenant."""

    tenant: TenantName
    subject: str = "system"


async def enqueue(  # noqa: PLR0913 - a job's own fields
    session: AsyncSession,
    owner: Owner,
    kind: str,
    parameters: Mapping[str, Any],
    priority: Priority,
    *,
    image: str | None = None,
    dedupe_key: str | None = None,
    run_at: datetime | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> Job:
    """Queue a job; it exists when the caller's transaction is committed, and runs at `run_at` at the earliest.

    With a `dedupe_key`, the tenant's unfinished job of that key is returned if there is one, and nothing is queued.
    Raise DocumentRefused for parameters that cannot be stored.
    """
    job = Job(
        id=new_uuid(),
        tenant=owner.tenant,
        kind=kind,
        priority=priority,
        state=JobState.QUEUED.value,
        parameters=check_document(parameters, "parameters"),
        max_attempts=max(1, max_attempts),
        image=image,
        dedupe_key=dedupe_key,
        created_by=owner.subject,
        created_at=now(),
        run_at=run_at or now(),
    )
    if dedupe_key is not None:
        return await _enqueue_once(session, job, dedupe_key)
    session.add(job)
    count_queued(session, job)
    return job


def count_queued(session: AsyncSession, job: Job) -> None:
    """Count a job into its lane, and wake engines once it is committed."""
    change_lane(session, job.tenant, job.priority, ready=1, oldest_at=job.run_at)
    notify_after_commit(session)


async def find_unfinished(session: AsyncSession, tenant: str, dedupe_key: str) -> Job | None:
    """Return the tenant's unfinished job of that key, or None."""
    query = select(Job).where(Job.tenant == tenant, Job.dedupe_key == dedupe_key, col(Job.state).in_(_UNFINISHED))
    return (await session.scalars(query)).one_or_none()


async def _enqueue_once(session: AsyncSession, job: Job, dedupe_key: str) -> Job:
    """Insert the job unless its key is taken; the other job may finish between the two statements, hence the loop."""
    for _ in range(_INSERTS):
        statement = insert(session, Job).values(job.model_dump()).on_conflict_do_nothing()
        if cast("CursorResult[Any]", await session.execute(statement)).rowcount:
            count_queued(session, job)
            return await session.get_one(Job, job.id)
        if (other := await find_unfinished(session, job.tenant, dedupe_key)) is not None:
            return other
    raise RuntimeError("a job's dedupe key was taken and free in turn, too often")
