"""Schedules: work that starts once per period, however many nodes there are.

Each node asks for what is due; a compare-and-set on `next_at` lets one of them through. What a schedule does is written
in the transaction of that compare-and-set, so it happens once, or is due again. Periods that passed while no node was
up are not made up for.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.job import Schedule
from catalog.records.render_records import insert
from catalog.records.tenant_scope import every_tenant


@dataclass(frozen=True, slots=True)
class Recurring:
    """Work with a name and a period; `start` is short, and usually enqueues jobs."""

    name: str
    period: timedelta
    start: Callable[[AsyncSession], Awaitable[None]]


async def take(session: AsyncSession, name: str, period: timedelta, *, at: datetime | None = None) -> bool:
    """Return whether the schedule is due and this caller is the one to start it. It is due when it is first seen."""
    at = at or now()
    await session.execute(insert(session, Schedule).values(name=name, next_at=at).on_conflict_do_nothing())
    row = await session.get_one(Schedule, name, populate_existing=True)
    if row.next_at > at:
        return False
    following = row.next_at + period * ((at - row.next_at) // period + 1)
    statement = update(Schedule).where(col(Schedule.name) == name, col(Schedule.next_at) == row.next_at)
    result = await session.execute(
        statement.values(next_at=following), execution_options={"synchronize_session": False}
    )
    return bool(cast("CursorResult[Any]", result).rowcount)


async def start_due(database: Database, schedules: Sequence[Recurring], *, at: datetime | None = None) -> list[str]:
    """Start what is due, each in a transaction of its own; return the names of what was started."""
    started = []
    with every_tenant():
        for schedule in schedules:
            async with database.writing() as session:
                if await take(session, schedule.name, schedule.period, at=at):
                    await schedule.start(session)
                    started.append(schedule.name)
    return started
