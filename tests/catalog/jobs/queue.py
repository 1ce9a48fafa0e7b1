"""The job functions, each in a transaction of its own, with a clock that tests move."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.core.job_state import JobState, Priority
from catalog.jobs.claim import ClaimedJob, JobRef, claim
from catalog.jobs.enqueue import System, enqueue
from catalog.jobs.errors import JobFailed
from catalog.jobs.lifecycle import Heartbeat, fail, heartbeat, progress, succeed
from catalog.jobs.sweep import Swept, sweep_expired
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.job import Job, Lane
from proxy.core.identifiers import TenantName
from tests.catalog.samples import ACME

T = TypeVar("T")
LEASE_S = 30.0


@dataclass
class Queue:
    """Jobs of one database."""

    database: Database
    at: datetime = field(default_factory=now)

    def pass_time(self, seconds: float) -> None:
        """Move the clock forward."""
        self.at += timedelta(seconds=seconds)

    async def do(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Call a function with a session, and commit."""
        async with self.database.writing() as session:
            return await work(session)

    async def add(
        self,
        tenant: TenantName = ACME,
        priority: Priority = Priority.PIPELINE,
        kind: str = "test",
        parameters: Mapping[str, Any] | None = None,
        subject: str = "system",
        **how: Any,  # noqa: ANN401 - what `enqueue` takes by name
    ) -> str:
        """Queue a job, due now on the tests' clock, and return its id."""
        how.setdefault("run_at", self.at)
        owner = System(tenant, subject)
        job = await self.do(lambda session: enqueue(session, owner, kind, parameters or {}, priority, **how))
        return job.id

    async def claim(self, count: int = 1, worker: str = "w1") -> list[ClaimedJob]:
        """Claim jobs."""
        return await self.do(lambda session: claim(session, worker, count, lease_s=LEASE_S, at=self.at))

    async def claim_one(self) -> ClaimedJob:
        """Claim the job that is next."""
        (job,) = await self.claim()
        return job

    async def heartbeat(self, ref: JobRef) -> Heartbeat:
        """Extend a lease."""
        return await self.do(lambda session: heartbeat(session, ref, lease_s=LEASE_S, at=self.at))

    async def progress(self, ref: JobRef, done: int, total: int | None) -> Heartbeat:
        """Record progress."""
        return await self.do(lambda session: progress(session, ref, done, total, lease_s=LEASE_S, at=self.at))

    async def succeed(self, ref: JobRef, result: Mapping[str, Any] | None = None) -> None:
        """Finish a job."""
        await self.do(lambda session: succeed(session, ref, result or {}, at=self.at))

    async def fail(self, ref: JobRef, failure: JobFailed, pause: float | None = None) -> JobState:
        """Record a failed attempt."""
        return await self.do(lambda session: fail(session, ref, failure, pause=pause, at=self.at))

    async def sweep(self) -> Swept:
        """Sweep expired leases."""
        return await self.do(lambda session: sweep_expired(session, at=self.at))

    async def job(self, identifier: str) -> Job:
        """Read a job's row."""
        async with self.database.reading() as session:
            return await session.get_one(Job, identifier)

    async def state(self, identifier: str) -> JobState:
        """Read a job's state."""
        return JobState((await self.job(identifier)).state)

    async def lanes(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Read the counters ready and running of all lanes."""
        async with self.database.reading() as session:
            rows = (await session.scalars(select(Lane))).all()
        return {(row.tenant, row.priority): (row.ready, row.running) for row in rows}

    async def claim_one_of_new(self) -> ClaimedJob:
        """Queue a job and claim it."""
        await self.add()
        return await self.claim_one()
