"""The three statements of a claim, each built once: building and compiling them cost more than running them."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from catalog.core.job_state import AGEING_S, JobState, Priority
from catalog.records.base import UtcDateTime
from catalog.records.job import Job, Lane

JOB: Final = Job.metadata.tables["job"].c
LANE: Final = Lane.metadata.tables["lane"].c
_CLAIMED: Final = (
    JOB.id,
    JOB.token,
    JOB.tenant,
    JOB.priority,
    JOB.kind,
    JOB.parameters,
    JOB.attempts,
    JOB.max_attempts,
    JOB.image,
    JOB.created_by,
    JOB.run_at,
)
_QUEUED: Final = JOB.state == literal_column("'queued'")
"""A literal, as in `catalog.jobs.lanes`, for the sake of the partial index."""
_AT: Final = bindparam("p_at", type_=UtcDateTime())
_STEPS: Final = range(1, max(Priority) + 1)


@lru_cache(maxsize=2)
def choosing(*, skip_locked: bool) -> Select[Any]:
    """Return the query for the lanes to be served next: `p_count` of them, the best first, locked."""
    effective = _effective()
    query = select(LANE.tenant, LANE.priority, LANE.ready, effective).where(LANE.ready > 0, LANE.oldest_at <= _AT)
    query = query.order_by(effective, LANE.served_at, LANE.tenant, LANE.priority)
    return query.limit(bindparam("p_count", type_=Integer())).with_for_update(skip_locked=skip_locked)


def ages(at: datetime) -> dict[str, datetime]:
    """Return the parameters of `choosing` that say since when a lane's jobs have waited for each step of ageing."""
    return {f"p_since_{step}": at - timedelta(seconds=step * AGEING_S) for step in _STEPS}


def _effective() -> ColumnElement[int]:
    """Return `effective_priority` of `catalog.core.job_state` as SQL that both databases have."""
    effective: ColumnElement[int] = LANE.priority
    for step in _STEPS:
        has_waited = LANE.oldest_at <= bindparam(f"p_since_{step}", type_=UtcDateTime())
        effective -= case((and_(has_waited, LANE.priority >= literal_column(f"{step}")), 1), else_=0)
    return effective


@lru_cache(maxsize=64)
def taking(lanes: int) -> Update:
    """Return the statement that claims the `p_share_N` oldest due jobs of each of so many lanes."""
    picked = union_all(*(select(_oldest(number).c.id) for number in range(lanes))).cte("picked")
    values = {
        "state": literal_column(f"'{JobState.RUNNING.value}'"),
        "attempts": JOB.attempts + 1,
        "token": JOB.token + 1,
        "lease_until": bindparam("p_until", type_=UtcDateTime()),
        "worker": bindparam("p_worker", type_=String()),
        "started_at": func.coalesce(JOB.started_at, _AT),
    }
    statement = update(Job.metadata.tables["job"]).where(JOB.id.in_(select(picked.c.id)))
    return statement.values(values).returning(*_CLAIMED)


def _oldest(number: int) -> Subquery:
    tenant, priority = _lane(number)
    due = (JOB.tenant == tenant, JOB.priority == priority, _QUEUED, JOB.run_at <= _AT)
    query = select(JOB.id).where(*due).order_by(JOB.run_at, JOB.id)
    share = bindparam(f"p_share_{number}", type_=Integer())
    return query.limit(share).with_for_update(skip_locked=True).subquery()


@lru_cache(maxsize=64)
def counting(lanes: int) -> Update:
    """Return the statement that counts `p_taken_N` claimed jobs of each of so many lanes.

    A lane without queued jobs becomes empty, and one with some does not, whatever its counter was.
    """
    keys = [_lane(number) for number in range(lanes)]
    is_lane = [and_(LANE.tenant == tenant, LANE.priority == priority) for tenant, priority in keys]
    taken = [bindparam(f"p_taken_{number}", type_=Integer()) for number in range(lanes)]
    count = case(*zip(is_lane, taken, strict=True), else_=0)
    of_lane = (JOB.tenant == LANE.tenant, JOB.priority == LANE.priority, _QUEUED)
    oldest_at = select(JOB.run_at).where(*of_lane).order_by(JOB.run_at).limit(literal_column("1")).scalar_subquery()
    left = LANE.ready - count
    values = {
        "ready": case((oldest_at.is_(None), 0), (left < 1, 1), else_=left),
        "running": LANE.running + count,
        "oldest_at": func.coalesce(oldest_at, LANE.oldest_at),
        "served_at": case((count > 0, _AT), else_=LANE.served_at),
    }
    return update(Lane.metadata.tables["lane"]).where(or_(*is_lane)).values(values)


def _lane(number: int) -> tuple[ColumnElement[str], ColumnElement[int]]:
    return bindparam(f"p_tenant_{number}", type_=String()), bindparam(f"p_priority_{number}", type_=Integer())
