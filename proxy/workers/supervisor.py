"""The supervisor: all worker processes, who of them is free, and how the ones that end are replaced."""

import asyncio
import logging
import os
from collections import Counter

from proxy.core.errors import Unavailable
from proxy.core.identifiers import RendererVersion
from proxy.settings import Settings
from proxy.workers import process
from proxy.workers.fonts import FontSet
from proxy.workers.framing import is_silent
from proxy.workers.messages import Hello
from proxy.workers.process import Process, WorkerStartError
from proxy.workers.sandbox import Ceilings, SandboxFeatures

_LOG = logging.getLogger("darkroom.pixels")

PIXEL_CODE = 5
"""Counted up whenever the same plan gives other bytes."""
CLOSED = "The pixel room is closing."
_START_DEADLINE_S = 30.0
_CLOSE_DEADLINE_S = 5.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 10.0


class Supervisor:
    """`size` workers and one spare. Who takes a worker has it for himself until he puts it back."""

    def __init__(self, settings: Settings, command: tuple[str, ...], fonts: FontSet) -> None:
        self.size = settings.workers or len(os.sched_getaffinity(0))
        self.alive: set[Process] = set()
        self.idle: list[Process] = []
        self.restarts: Counter[str] = Counter()
        self.closing = False
        self._settings = settings
        self._command = command
        # Honest work never gets there: the deadline and `worker_jobs` end it. For a parent that is stuck.
        cpu_s = int(settings.worker_jobs * settings.render_deadline_s) + 60
        self._ceilings = Ceilings(settings.worker_memory_bytes, cpu_s)
        self._fonts = fonts
        self._more = (settings.formats, fonts.folder, str(fonts.count), "faces" if settings.faces else "")
        self._arrival = asyncio.Event()
        self._departure = asyncio.Event()
        self._failures = 0
        """Workers that died or didn't start, since a job has last succeeded."""
        self._starting: set[asyncio.Task[None]] = set()
        self._reaping: set[asyncio.Task[None]] = set()

    async def open(self) -> tuple[RendererVersion, SandboxFeatures]:
        """Start all and tell what they are; WorkerStartError when one doesn't start or lacks a required wall."""
        starts = (self._started() for _ in range(self.size + 1))
        started = await asyncio.gather(*starts, return_exceptions=True)
        greeted = [one for one in started if not isinstance(one, BaseException)]
        for worker, _ in greeted:
            self._admit(worker)
        for one in started:
            if isinstance(one, BaseException):
                raise one
        hello = greeted[0][1]
        self._check_sandbox(hello.sandbox_features)
        parts = (str(PIXEL_CODE), hello.libvips, self._fonts.fingerprint)
        return RendererVersion("-".join(filter(None, parts))), hello.sandbox_features

    def _check_sandbox(self, sandbox_features: SandboxFeatures) -> None:
        if not sandbox_features.missing:
            return
        told = f"This kernel does not offer {' and '.join(sandbox_features.missing)} to the pixel workers."
        if self._settings.sandbox == "require":
            raise WorkerStartError(f"{told} Change the kernel, or set DARKROOM_SANDBOX=prefer.")
        _LOG.warning(told)

    async def close(self) -> None:
        """End all and wait until they are gone. Those at work are put back by whoever listens to them."""
        self.closing = True
        self._arrival.set()
        for start in self._starting:
            start.cancel()
        idle, self.idle = self.idle, []
        for worker in idle:
            self._replace(worker, "closing")
        for worker in self.alive:
            worker.kill("closing")
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                while self.alive:
                    self._departure.clear()
                    await self._departure.wait()
                while ends := self._starting | self._reaping:
                    await asyncio.wait(ends)
        except TimeoutError:
            _LOG.error("Pixel workers were killed and do not end.")

    async def acquire(self) -> Process:
        """Give a free worker, waiting while several are replaced; Unavailable when that takes too long."""
        if worker := self._pop_idle():
            return worker
        try:
            async with asyncio.timeout(self._settings.render_deadline_s):
                while not self.closing:
                    self._arrival.clear()
                    await self._arrival.wait()
                    if worker := self._pop_idle():
                        return worker
        except TimeoutError:
            raise Unavailable("No pixel worker is ready.") from None
        raise Unavailable(CLOSED)

    def _pop_idle(self) -> Process | None:
        """Give the worker that was used last: its memory is warm, and the spare's stays small."""
        while self.idle:
            worker = self.idle.pop()
            if is_silent(worker.socket):
                return worker
            self._replace(worker, "died")
        return None

    def release(self, worker: Process) -> None:
        """Take a worker back, or replace it: it has ended, reply_pending an answer, or has served long enough."""
        if worker.reply_pending:
            worker.kill("died")
        if why := worker.ended or self._overdue(worker):
            self._replace(worker, why)
        else:
            self._failures = 0
            self._admit(worker)

    def _overdue(self, worker: Process) -> str | None:
        """Say why a worker has served long enough, once another is there to take its place."""
        if len(self.alive) <= self.size:
            return None
        if worker.jobs >= self._settings.worker_jobs:
            return "jobs"
        return "rss" if worker.rss_bytes > self._settings.worker_rss_bytes else None

    def _admit(self, worker: Process) -> None:
        self.alive.add(worker)
        self.idle.append(worker)
        self._arrival.set()

    def _replace(self, worker: Process, why: str) -> None:
        """End a worker that nobody uses any more, and start another behind."""
        self.alive.discard(worker)
        self._departure.set()
        self._reap(worker, why)
        if self.closing:
            return
        self.restarts[worker.ended or why] += 1
        self._failures += worker.ended == "died"
        _keep(self._starting, asyncio.create_task(self._start_another()))

    async def _start_another(self) -> None:
        """Start one worker, however often it takes, ever more slowly."""
        while not self.closing:
            await asyncio.sleep(self._pause_s())
            try:
                worker, _ = await self._started()
            except WorkerStartError as failed:
                self._failures += 1
                _LOG.error("%s", failed)
            else:
                self._admit(worker)
                return

    def _pause_s(self) -> float:
        """Give no pause while each worker fails once; then double it, up to the last."""
        excess = self._failures - self.size - 1
        return min(_FIRST_PAUSE_S * 2.0 ** min(excess, 10), _LAST_PAUSE_S) if excess > 0 else 0.0

    async def _started(self) -> tuple[Process, Hello]:
        worker = process.start(self._command, self._ceilings, self._more)
        try:
            return worker, await worker.handshake(_START_DEADLINE_S)
        except BaseException:
            self._reap(worker, "start")
            raise

    def _reap(self, worker: Process, why: str) -> None:
        worker.kill(why)
        _keep(self._reaping, asyncio.create_task(worker.reap()))


def _keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    """Hold a task that nobody awaits, until it is done."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)
