"""The part that all engines share: claim jobs while there is room, run each, sweep what others left behind."""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Final

import structlog

from catalog.jobs.claim import ClaimedJob, claim
from catalog.jobs.execution import Execution
from catalog.jobs.lanes import add_missing_lanes, list_lanes, reconcile_lane
from catalog.jobs.notification import notified
from catalog.jobs.ports import EngineOptions
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.schedules import Recurring, start_due, take
from catalog.jobs.supervision import Supervisor
from catalog.jobs.sweep import BATCH, DELETED_AT_ONCE, Swept, delete_finished, sweep_expired
from catalog.records.database import Database
from catalog.records.tenant_scope import every_tenant

log = structlog.get_logger("darkroom.jobs")

RECONCILE_PERIOD: Final = timedelta(minutes=1)
RETENTION_PERIOD: Final = timedelta(hours=1)
_LOOPS_S: Final = 5.0
"""How long a claim or sweep under way may take when the engine stops."""
_RELEASE_S: Final = 10.0
"""How long giving jobs back may take when the engine stops."""


def worker_name() -> str:
    """Return a name for this process that no other has: host, process id and a random part."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


class JobRunner:
    """Runs at most `concurrency` jobs at once; polls, and looks at once when it is woken."""

    def __init__(
        self,
        database: Database,
        registry: HandlerRegistry,
        options: EngineOptions | None = None,
        schedules: Sequence[Recurring] = (),
    ) -> None:
        self.options = options or EngineOptions()
        self.name = worker_name()
        self._database = database
        self._registry = registry
        self._schedules = schedules
        self._supervisor = Supervisor()
        self._news = asyncio.Event()
        """Set when there may be something to do: jobs were queued, one has ended, or the engine stops."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = ExitStack()

    @property
    def alive(self) -> bool:
        """Whether claiming and sweeping are at work."""
        return self._supervisor.alive

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._tasks)

    def start(self) -> None:
        """Start claiming and sweeping."""
        self._stack.enter_context(notified(self._database, self.wake))
        with every_tenant():  # tasks keep the scope that they are started in; each job's task enters its own
            self._supervisor.start("claim", self._claim_jobs)
            self._supervisor.start("sweep", self._sweep)

    def wake(self) -> None:
        """Look for jobs now."""
        self._news.set()

    async def stop(self) -> None:
        """Stop claiming, let running jobs finish within the budget, and give the others back."""
        self._stack.close()
        self._supervisor.stopping.set()
        self.wake()
        await self._supervisor.stop(_LOOPS_S)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.options.stop_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=_RELEASE_S)
            if pending:
                log.error("jobs not given back: their leases will end", count=len(pending))

    async def _claim_jobs(self) -> None:
        while not self._supervisor.stopping.is_set():
            self._news.clear()
            free = self.options.concurrency - len(self._tasks)
            jobs: list[ClaimedJob] = []
            if free > 0:
                async with self._database.writing() as session:
                    jobs = await claim(session, self.name, free, lease_s=self.options.lease_s)
            for job in jobs:
                self._run(job)
            if len(jobs) < free or free <= 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.options.poll_s):
                        await self._news.wait()

    def _run(self, job: ClaimedJob) -> None:
        execution = Execution(self._database, self._registry, self.options, job)
        task = asyncio.create_task(execution.run(), name=f"run job {job.ref.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake()

    async def _sweep(self) -> None:
        while not self._supervisor.stopping.is_set():
            await self._sweep_expired()
            await start_due(self._database, self._schedules)
            if await self._take("jobs.reconcile", RECONCILE_PERIOD):
                await self._reconcile()
            if await self._take("jobs.retention", RETENTION_PERIOD):
                await self._delete_finished()
            await self._supervisor.pause(self.options.sweep_s)

    async def _sweep_expired(self) -> None:
        while True:
            async with self._database.writing() as session:
                swept = await sweep_expired(session, pause=self.options.retry_pause_s)
            if swept != Swept():
                log.warning("jobs of lost workers", queued=swept.queued, failed=swept.failed, cancelled=swept.cancelled)
            if swept.queued + swept.failed + swept.cancelled < BATCH:
                return

    async def _take(self, name: str, period: timedelta) -> bool:
        async with self._database.writing() as session:
            return await take(session, name, period)

    async def _reconcile(self) -> None:
        """Bring all lanes up to date, each in a transaction of its own: it is locked while its jobs are counted."""
        async with self._database.writing() as session:
            await add_missing_lanes(session)
        async with self._database.reading() as session:
            lanes = await list_lanes(session)
        for tenant, priority in lanes:
            async with self._database.writing() as session:
                if await reconcile_lane(session, tenant, priority):
                    log.warning("lane corrected", tenant=tenant, priority=priority)

    async def _delete_finished(self) -> None:
        while True:
            async with self._database.writing() as session:
                if await delete_finished(session) < DELETED_AT_ONCE:
                    return
