"""The engine of a fleet: docket (on Redis) wakes a worker of any host as soon as a job was committed.

Theory. The database keeps the backlog, chooses, leases and fences. docket 0.27 could also carry the ids of chosen jobs
to workers. It adds nothing there: a job chosen early waits behind others while a more urgent one arrives, a message
that Redis loses with its memory holds the job until its lease ends, and docket's own redelivery must be refused by the
fencing token in any case. So docket carries hints, at most WINDOW of them, each of which makes one worker claim what is
next; the worker that is woken, and whatever it has no room for, is found by the others' polls. Redis may be away, or
forget everything: jobs then wait for the next poll, a second at most.

docket unpickles what it reads from Redis, so whoever may write to this Redis may run code in the workers.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from typing import Final

import structlog
from docket import Docket, Worker
from redis.exceptions import RedisError

from catalog.jobs.notification import notified
from catalog.jobs.ports import EngineOptions
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.runner import JobRunner
from catalog.jobs.schedules import Recurring
from catalog.jobs.supervision import Supervisor
from catalog.records.database import Database

log = structlog.get_logger("darkroom.jobs")

NAME: Final = "darkroom-jobs"
WINDOW: Final = 32
"""Hints in Redis at most: a hint whose key is there already is not added."""
_SEND_S: Final = 1.0
_HINT: Final = "claim_jobs"
_STOP_S: Final = 3.0


class DocketEngine:
    """A `JobEngine` whose workers wake each other through Redis; with `concurrency` 0 it only wakes others."""

    def __init__(
        self,
        database: Database,
        registry: HandlerRegistry,
        redis_url: str,
        options: EngineOptions | None = None,
        schedules: Sequence[Recurring] = (),
    ) -> None:
        self._database = database
        self._redis_url = redis_url
        self._runner = JobRunner(database, registry, options, schedules)
        self._works = self._runner.options.concurrency > 0
        self._supervisor = Supervisor()
        self._queued = asyncio.Event()
        self._numbers = count()
        self._stack = ExitStack()
        self.hints = 0
        """Hints that woke this worker so far."""

    @property
    def alive(self) -> bool:
        """Whether claiming, sweeping and the connection to docket are at work; Redis itself may be away."""
        return self._supervisor.alive and (self._runner.alive or not self._works)

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return self._runner.running

    def start(self) -> None:
        """Start claiming, sweeping, and listening to docket."""
        self._stack.enter_context(notified(self._database, self.wake))
        self._supervisor.start("docket", self._connect)
        if self._works:
            self._runner.start()

    def wake(self) -> None:
        """Look for jobs now, and let another worker look."""
        self._runner.wake()
        self._queued.set()

    async def stop(self) -> None:
        """Stop claiming, let running jobs finish within the budget, and give the others back."""
        self._stack.close()
        await self._supervisor.stop(_STOP_S)
        if self._works:
            await self._runner.stop()

    async def _connect(self) -> None:
        """Send and receive hints until the engine stops. docket reconnects by itself; if it fails, start it anew."""
        docket = Docket(NAME, self._redis_url, execution_ttl=timedelta(0))
        docket.register(self._receive, names=[_HINT])
        async with docket:
            tasks = [asyncio.create_task(self._send(docket), name="jobs: send hints")]
            if self._works:
                tasks.append(asyncio.create_task(self._listen(docket), name="jobs: receive hints"))
            stopping = asyncio.create_task(self._supervisor.stopping.wait())
            try:
                await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*tasks, stopping):
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _send(self, docket: Docket) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            try:
                async with asyncio.timeout(_SEND_S):
                    await docket.add(_HINT, key=f"{_HINT}-{next(self._numbers) % WINDOW}")()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("hint not sent: workers find the jobs by polling", reason=type(error).__name__)
                await asyncio.sleep(_SEND_S)

    async def _listen(self, docket: Docket) -> None:
        worker = Worker(
            docket,
            self._runner.name,
            concurrency=1,
            reconnection_delay=timedelta(seconds=1),
            schedule_automatic_tasks=False,
        )
        async with worker:
            await worker.run_forever()

    async def _receive(self) -> None:
        self.hints += 1
        self._runner.wake()
