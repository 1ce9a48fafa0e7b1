"""Sweeping: jobs whose worker is gone, and jobs that finished long ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.job_state import JobState
from catalog.jobs.lanes import RUNNING
from catalog.jobs.lifecycle import give_up
from catalog.records.base import now
from catalog.records.job import Job

BATCH: Final = 100
DELETED_AT_ONCE: Final = 500
RETENTION: Final = timedelta(days=14)
DEAD_LETTER_RETENTION: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many jobs one sweep took from workers that are gone."""

    queued: int = 0
    failed: int = 0
    cancelled: int = 0


async def sweep_expired(
    session: AsyncSession, *, pause: float | None = None, at: datetime | None = None, limit: int = BATCH
) -> Swept:
    """Queue again, or make dead letters of, jobs whose lease has ended; at most `limit`, the longest ended first.

    `pause` replaces the growing pause in seconds before the next attempt.
    """
    at = at or now()
    query = select(Job).where(RUNNING, col(Job.lease_until) < at).order_by(col(Job.lease_until)).limit(limit)
    rows = (await session.scalars(query.with_for_update(skip_locked=True))).all()
    states = [give_up(session, row, pause, at) for row in rows]
    return Swept(states.count(JobState.QUEUED), states.count(JobState.FAILED), states.count(JobState.CANCELLED))


async def delete_finished(session: AsyncSession, *, at: datetime | None = None, limit: int = DELETED_AT_ONCE) -> int:
    """Delete jobs that finished before RETENTION, dead letters before DEAD_LETTER_RETENTION; return how many.

    At most `limit`, so repeat it, each time in its own transaction, while it deletes some.
    """
    at = at or now()
    expired = (col(Job.finished_at) < at - RETENTION) & (col(Job.state) != JobState.FAILED.value)
    dead = col(Job.finished_at) < at - DEAD_LETTER_RETENTION
    chosen = select(Job.id).where(expired | dead).order_by(col(Job.finished_at)).limit(limit)
    statement = delete(Job).where(col(Job.id).in_(chosen), col(Job.finished_at).is_not(None))
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
