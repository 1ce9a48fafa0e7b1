"""Kinds of jobs for tests, and `python -m tests.catalog.jobs.kinds`: a worker process that runs them.

The effect of a job is a row: `audit_event` has room for one, and the job's id is its subject. It is written in the
transaction that finishes the job. `audit_event` allows several rows about one subject, so an effect that happened twice
is seen.
"""

import asyncio
import os
import time

from sqlmodel import col, select

from catalog.jobs.errors import JobFailed
from catalog.jobs.ports import EngineOptions
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.schema import open_database
from catalog.records.uuid7 import new_uuid
from catalog.worker import create_engine, run_until_stopped
from proxy.settings import Settings

EFFECT = "test.effect"
OPTIONS = EngineOptions(concurrency=3, lease_s=1.0, poll_s=0.2, sweep_s=0.25, retry_pause_s=0.05, stop_s=5.0)
STEP_S = 0.05


async def effect(job: RunningJob) -> dict[str, int]:
    """Work for `seconds`, then write the effect and the end of the job in one transaction."""
    end_s = time.monotonic() + float(job.parameters.get("seconds", 0))
    steps = 0
    while time.monotonic() < end_s:
        await asyncio.sleep(STEP_S)
        steps += 1
        if job.parameters.get("progress"):
            await job.progress(steps, 100)
    async with job.transaction() as session:
        event = AuditEvent(
            id=new_uuid(),
            tenant=job.tenant,
            actor=f"{os.getpid()}",
            action=EFFECT,
            subject_type="job",
            subject_id=job.id,
            origin={"attempt": job.attempt},
        )
        session.add(event)
        await session.flush()
        await asyncio.sleep(float(job.parameters.get("pause_s", 0)))
        await job.succeed(session, {"steps": steps})
    return {}


async def fail(job: RunningJob) -> dict[str, int]:
    """Fail the first attempts."""
    if job.attempt <= int(job.parameters["failures"]):
        raise JobFailed("test", "Not yet.")
    return {"attempt": job.attempt}


async def broken(job: RunningJob) -> dict[str, int]:
    """Raise what no handler should."""
    raise ZeroDivisionError(job.id)


async def plain(job: RunningJob) -> dict[str, object]:
    """Sleep for `seconds`, without a heartbeat of its own, and return the result that is asked for."""
    await asyncio.sleep(float(job.parameters.get("seconds", 0)))
    return dict(job.parameters.get("result", {}))


async def nul(job: RunningJob) -> dict[str, str]:
    """Return what PostgreSQL cannot store."""
    return {"text": f"{job.id}\0"}


def register(registry: HandlerRegistry) -> None:
    """Add the kinds to a registry."""
    registry.register("effect", effect)
    registry.register("fail", fail)
    registry.register("broken", broken)
    registry.register("plain", plain)
    registry.register("nul", nul)
    registry.register("short", plain, deadline_s=0.1)


async def effects_of(database: Database) -> dict[str, list[AuditEvent]]:
    """Return the effects of each job."""
    async with database.reading() as session:
        query = select(AuditEvent).where(AuditEvent.action == EFFECT).order_by(col(AuditEvent.id))
        rows = (await session.scalars(query)).all()
    effects: dict[str, list[AuditEvent]] = {}
    for row in rows:
        effects.setdefault(row.subject_id, []).append(row)
    return effects


async def work(settings: Settings) -> None:
    """Run the kinds until the process is told to stop."""
    registry = HandlerRegistry()
    register(registry)
    async with open_database(settings) as database:
        await run_until_stopped(create_engine(settings, database, registry, options=OPTIONS))


if __name__ == "__main__":
    asyncio.run(work(Settings()))
