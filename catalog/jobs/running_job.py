"""What a handler has of the job that it runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.jobs.claim import ClaimedJob
from catalog.jobs.errors import JobCancelled, LeaseLost
from catalog.jobs.lifecycle import Heartbeat, fence, heartbeat, progress, succeed
from catalog.records.database import Database
from catalog.records.tenant_scope import tenant_scope
from proxy.core.identifiers import TenantName


class RunningJob:
    """A job in the hands of its handler.

    Its transactions and heartbeats take turns: a heartbeat would wait for the row that a transaction has locked.
    """

    def __init__(self, database: Database, job: ClaimedJob, lease_s: float) -> None:
        self.id = job.ref.id
        self.tenant = TenantName(job.tenant)
        self.kind = job.kind
        self.parameters: Mapping[str, Any] = job.parameters
        self.attempt = job.attempt
        self.image = job.image
        self.created_by = job.created_by
        self.finished = False
        """Whether a transaction of the handler has finished the job."""
        self.held_until_s = time.monotonic() + lease_s
        """On the monotonic clock: when the lease ends, as far as this process knows."""
        self._database = database
        self._ref = job.ref
        self._lease_s = lease_s
        self._turn = asyncio.Lock()
        self._in_transaction: asyncio.Task[Any] | None = None

    async def heartbeat(self) -> None:
        """Extend the lease; call it between items of work. Raise JobCancelled or LeaseLost where work must stop."""
        _check(await self.extend())

    async def progress(self, done: int, total: int | None = None) -> None:
        """Record how far the work is, and extend the lease. Raise JobCancelled or LeaseLost where work must stop."""
        self._check_turn()
        async with self._turn:
            with tenant_scope(self.tenant):
                async with self._database.writing() as session:
                    answer = await progress(session, self._ref, done, total, lease_s=self._lease_s)
        _check(answer)

    async def extend(self) -> Heartbeat:
        """Extend the lease and return the answer; the engine calls this in the background."""
        self._check_turn()
        async with self._turn:
            asked_at_s = time.monotonic()
            with tenant_scope(self.tenant):
                async with asyncio.timeout(self._lease_s), self._database.writing() as session:
                    answer = await heartbeat(session, self._ref, lease_s=self._lease_s)
            if answer is not Heartbeat.LOST:
                self.held_until_s = asked_at_s + self._lease_s
            return answer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction in which the job is this worker's: nobody can take it away before the commit.

        It reaches the rows of the job's tenant, or of every tenant where the handler has entered that scope. What is
        written in it together with `succeed` happens exactly once. Raise JobCancelled or LeaseLost.
        """
        self._check_turn()
        async with self._turn:
            self._in_transaction = asyncio.current_task()
            finished = self.finished
            try:
                async with self._database.writing() as session:
                    await fence(session, self._ref, lease_s=self._lease_s)
                    yield session
            except BaseException:
                self.finished = finished
                raise
            finally:
                self._in_transaction = None

    async def succeed(self, session: AsyncSession, result: Mapping[str, Any]) -> None:
        """Finish the job in a transaction of `transaction()`, so that its effect and its end are one commit."""
        await succeed(session, self._ref, result)
        self.finished = True

    def _check_turn(self) -> None:
        if self._in_transaction is not None and self._in_transaction is asyncio.current_task():
            raise RuntimeError("end the job's transaction before the next heartbeat, progress or transaction")


def _check(answer: Heartbeat) -> None:
    if answer is Heartbeat.LOST:
        raise LeaseLost
    if answer is Heartbeat.CANCEL_REQUESTED:
        raise JobCancelled
