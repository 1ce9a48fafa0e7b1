"""Many jobs at once, written by the database itself."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text

from catalog.core.job_state import Priority
from catalog.records.database import Database
from catalog.records.job import NEVER, Job, Lane

_COPY = """
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
    INSERT INTO job (
        id, tenant, kind, priority, state, parameters, done, attempts, max_attempts, token, cancel_requested, run_at,
        created_at, created_by
    )
    SELECT tenant || '-' || (1000000 + n), tenant, kind, priority, state, parameters, done, attempts, max_attempts,
           token, cancel_requested, run_at, created_at, created_by
    FROM number, job WHERE job.id = :first
"""


async def add_backlog(
    database: Database, counts: Mapping[str, int], at: datetime, priority: Priority = Priority.PIPELINE
) -> None:
    """Write that many queued jobs for each tenant, and their lanes; an id is the tenant's name and a number."""
    async with database.writing() as session:
        for tenant, count in counts.items():
            first = Job(id=f"{tenant}-1000000", tenant=tenant, kind="test", priority=priority, run_at=at, created_at=at)
            session.add(first)
            session.add(Lane(tenant=tenant, priority=priority, ready=count, served_at=NEVER, oldest_at=at))
            await session.flush()
            if count > 1:
                await session.execute(text(_COPY), {"first": first.id, "count": count - 1})
