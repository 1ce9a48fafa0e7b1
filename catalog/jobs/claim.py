"""Choosing what runs next: a lane by its counters, then the lane's oldest jobs, in one transaction.

Theory. One statement that does both reads the whole backlog (measured: 6 claims a second instead of thousands). Lanes
are ordered by their effective priority (they age), then by when they were served last: so every tenant that waits is
served within as many claims as there are lanes, whatever the backlog of the others. On PostgreSQL a claim skips lanes
that others hold; where it finds none left, it waits for the best of them, but only as long as it holds none itself: so
there is no circle. On SQLite the transaction is the only writer.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.jobs.claim_sql import ages, choosing, counting, taking
from catalog.records.base import now

LEASE_S: Final = 30.0
_ROUNDS: Final = 4
"""How often lanes are chosen for one claim: a lane's counters may have promised more than it has."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """A job as its worker holds it; `token` is counted up by each claim, so that an earlier holder is refused."""

    id: str
    token: int


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker runs until its lease ends."""

    ref: JobRef
    tenant: str
    kind: str
    priority: int
    parameters: dict[str, Any]
    attempt: int
    max_attempts: int
    image: str | None
    created_by: str


@dataclass(frozen=True, slots=True)
class LaneState:
    """What a claim knows of a lane."""

    tenant: str
    priority: int
    ready: int
    effective: int


Share = tuple[LaneState, int]
"""A lane, and how many of its jobs."""
Rows = Sequence[Row[Any]]


async def claim(
    session: AsyncSession, worker: str, count: int, *, lease_s: float = LEASE_S, at: datetime | None = None
) -> list[ClaimedJob]:
    """Claim at most `count` jobs for a worker, in their order; counts `attempts` and `token` up and sets the lease.

    Use a transaction of its own, so that lanes are locked for no longer than this takes.
    """
    at = at or now()
    lease = (at, at + timedelta(seconds=lease_s))
    jobs: list[ClaimedJob] = []
    for number in range(_ROUNDS):
        wanted = count - len(jobs)
        lanes = await _choose(session, wanted, at, wait=number == 0) if wanted > 0 else []
        if not lanes:
            break
        shares = share_out(lanes, wanted)
        rows = await _take(session, shares, worker, lease)
        jobs += _in_order([lane for lane, _ in shares], rows)
    return jobs


def _in_order(lanes: Sequence[LaneState], rows: Rows) -> list[ClaimedJob]:
    """Return claimed rows in the order of their lanes and ages; the database returns them in any."""
    places = {(lane.tenant, lane.priority): place for place, lane in enumerate(lanes)}
    ordered = sorted(rows, key=lambda row: (places[row.tenant, row.priority], row.run_at, row.id))
    return [
        ClaimedJob(
            JobRef(row.id, row.token),
            row.tenant,
            row.kind,
            row.priority,
            row.parameters,
            row.attempts,
            row.max_attempts,
            row.image,
            row.created_by,
        )
        for row in ordered
    ]


def share_out(lanes: Sequence[LaneState], count: int) -> list[Share]:
    """Return how many jobs to take of each lane: in turn among those of the best effective priority, then the next."""
    shares = dict.fromkeys(lanes, 0)
    for effective in sorted({lane.effective for lane in lanes}):
        turn = deque(lane for lane in lanes if lane.effective == effective)
        while turn and count > 0:
            lane = turn.popleft()
            shares[lane] += 1
            count -= 1
            if shares[lane] < lane.ready:
                turn.append(lane)
    return [(lane, share) for lane, share in shares.items() if share]


async def _choose(session: AsyncSession, count: int, at: datetime, *, wait: bool) -> list[LaneState]:
    """Return the lanes to be served next, the best first, and lock them; `wait` for one if others hold them all."""
    connection = await session.connection()
    parameters = {"p_at": at, "p_count": count, **ages(at)}
    rows = (await connection.execute(choosing(skip_locked=True), parameters)).all()
    if not rows and wait and connection.dialect.name == "postgresql":
        rows = (await connection.execute(choosing(skip_locked=False), parameters | {"p_count": 1})).all()
    return [LaneState(*row) for row in rows]


async def _take(session: AsyncSession, shares: Sequence[Share], worker: str, lease: tuple[datetime, datetime]) -> Rows:
    """Claim the oldest due jobs of lanes that are locked, and bring their counters up to date."""
    connection = await session.connection()
    keys: dict[str, Any] = {"p_at": lease[0]}
    for number, (lane, _) in enumerate(shares):
        keys |= {f"p_tenant_{number}": lane.tenant, f"p_priority_{number}": lane.priority}
    wanted = {f"p_share_{number}": share for number, (_, share) in enumerate(shares)}
    claimed = {"p_until": lease[1], "p_worker": worker}
    rows = (await connection.execute(taking(len(shares)), keys | wanted | claimed)).all()
    counts = Counter((row.tenant, row.priority) for row in rows)
    taken = {f"p_taken_{number}": counts[lane.tenant, lane.priority] for number, (lane, _) in enumerate(shares)}
    await connection.execute(counting(len(shares)), keys | taken)
    return rows
