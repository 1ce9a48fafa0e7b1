"""Lanes: how many jobs of a tenant and priority are queued and running, written at the end of a transaction.

Theory. A lane's row is shared by all jobs of its tenant and priority. A transaction that changed it on the way and then
waited for another row could wait in a circle with a transaction that took the two in the other order, and would hold up
every claim of the lane until it ends. So changes are collected, and written by a hook immediately before the commit,
sorted by tenant and priority: no transaction waits for anything after it has locked a lane, so there is no circle, and
a lane is locked no longer than a commit takes. A claim locks its lane first, but waits for no job's row (SKIP LOCKED).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    bindparam,
    case,
    event,
    exists,
    func,
    literal,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlmodel import col, select

from catalog.core.job_state import Priority
from catalog.records.base import UtcDateTime, now
from catalog.records.job import NEVER, Job, Lane
from catalog.records.tenant import Tenant

QUEUED: ColumnElement[bool] = col(Job.state) == literal_column("'queued'")
RUNNING: ColumnElement[bool] = col(Job.state) == literal_column("'running'")
"""Written as literals: neither database proves that a parameter implies the condition of a partial index."""

COUNTED_AT_MOST = 10_000
"""Reconciling counts no further: a lane with more keeps the counter that it has, if that is not less."""
_CHANGES = "job_lanes"


@dataclass(slots=True)
class _Change:
    ready: int = 0
    running: int = 0
    oldest_at: datetime | None = None


def change_lane(  # noqa: PLR0913 - a lane's own columns
    session: AsyncSession,
    tenant: str,
    priority: int,
    *,
    ready: int = 0,
    running: int = 0,
    oldest_at: datetime | None = None,
) -> None:
    """Add to the counters of a lane when the session commits; `oldest_at` is the `run_at` of a job that was queued."""
    sync_session = session.sync_session
    changes: dict[tuple[str, int], _Change] | None = sync_session.info.get(_CHANGES)
    if changes is None:
        changes = sync_session.info[_CHANGES] = {}
        event.listen(sync_session, "before_commit", _write)
        event.listen(sync_session, "after_rollback", _forget)
    change = changes.setdefault((tenant, priority), _Change())
    change.ready += ready
    change.running += running
    if oldest_at is not None and (change.oldest_at is None or oldest_at < change.oldest_at):
        change.oldest_at = oldest_at


def _forget(sync_session: Session) -> None:
    sync_session.info.get(_CHANGES, {}).clear()


def _write(sync_session: Session) -> None:
    """Write what was collected; the session calls it before its commit, where it may wait for the database."""
    sync_session.flush()  # rows that have to wait for a lock are written before a lane is locked
    changes: dict[tuple[str, int], _Change] = sync_session.info[_CHANGES]
    connection = sync_session.connection()
    for (tenant, priority), change in sorted(changes.items()):
        statement = _upserting(connection.dialect.name, queued=change.oldest_at is not None)
        connection.execute(
            statement,
            {
                "p_tenant": tenant,
                "p_priority": priority,
                "p_ready": change.ready,
                "p_running": change.running,
                "p_first_ready": max(0, change.ready),
                "p_first_running": max(0, change.running),
                "p_oldest_at": change.oldest_at or now(),
            },
        )
    changes.clear()


@lru_cache(maxsize=4)
def _upserting(dialect: str, *, queued: bool) -> postgresql.Insert | sqlite.Insert:
    """Return the statement that adds to a lane or writes its first counters; `queued` if `p_oldest_at` counts."""
    table = Lane.metadata.tables["lane"]
    lane, oldest_at = table.c, bindparam("p_oldest_at", type_=UtcDateTime())
    added: dict[str, Any] = {
        "ready": _at_least_zero(lane.ready + bindparam("p_ready", type_=Integer())),
        "running": _at_least_zero(lane.running + bindparam("p_running", type_=Integer())),
    }
    if queued:
        is_first = (lane.ready <= 0) | (lane.oldest_at > oldest_at)
        added["oldest_at"] = case((is_first, oldest_at), else_=lane.oldest_at)
    statement = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    first = {
        "tenant": bindparam("p_tenant", type_=String()),
        "priority": bindparam("p_priority", type_=Integer()),
        "ready": bindparam("p_first_ready", type_=Integer()),
        "running": bindparam("p_first_running", type_=Integer()),
        "served_at": literal(NEVER, UtcDateTime()),
        "oldest_at": oldest_at,
    }
    return statement.values(first).on_conflict_do_update(index_elements=["tenant", "priority"], set_=added)


def _at_least_zero(number: ColumnElement[int]) -> ColumnElement[int]:
    return case((number < 0, 0), else_=number)


async def add_missing_lanes(session: AsyncSession) -> int:
    """Write lanes for queued jobs that have none, as after a restore; return how many. Probes an index per tenant."""
    missing = []
    for priority in Priority:
        lane = exists().where(col(Lane.tenant) == Tenant.name, col(Lane.priority) == priority)
        job = exists().where(col(Job.tenant) == Tenant.name, col(Job.priority) == priority, QUEUED)
        missing += [(name, priority) for name in await session.scalars(select(Tenant.name).where(~lane, job))]
    for tenant, priority in missing:
        change_lane(session, tenant, priority, oldest_at=NEVER, ready=1)
    return len(missing)


async def list_lanes(session: AsyncSession) -> list[tuple[str, int]]:
    """Return the tenant and priority of every lane, in order."""
    rows = await session.execute(select(Lane.tenant, Lane.priority).order_by(Lane.tenant, col(Lane.priority)))
    return [(tenant, priority) for tenant, priority in rows]


async def reconcile_lane(session: AsyncSession, tenant: str, priority: int) -> bool:
    """Count the jobs of a lane again; return whether its counters were wrong. Locks the lane, so use a transaction of
    its own.
    """  # noqa: D205 - two lines of one sentence
    key = (col(Lane.tenant) == tenant, col(Lane.priority) == priority)
    lane = (await session.scalars(select(Lane).where(*key).with_for_update())).one_or_none()
    if lane is None:
        return False
    before = (lane.ready, lane.running)
    ready = await _count(session, tenant, priority, QUEUED)
    lane.ready = max(ready, lane.ready) if ready == COUNTED_AT_MOST else ready
    lane.running = await _count(session, tenant, priority, RUNNING)
    lane.oldest_at = await oldest_run_at(session, tenant, priority) or lane.oldest_at
    return before != (lane.ready, lane.running)


async def oldest_run_at(session: AsyncSession, tenant: str, priority: int) -> datetime | None:
    """Return the least `run_at` of a lane's queued jobs, or None if there are none; one step in an index."""
    query = select(Job.run_at).where(Job.tenant == tenant, Job.priority == priority, QUEUED)
    return (await session.scalars(query.order_by(col(Job.run_at)).limit(1))).one_or_none()


async def _count(session: AsyncSession, tenant: str, priority: int, state: ColumnElement[bool]) -> int:
    jobs = select(Job.id).where(Job.tenant == tenant, Job.priority == priority, state).limit(COUNTED_AT_MOST)
    return (await session.scalar(select(func.count()).select_from(jobs.subquery()))) or 0
