"""The supervisor: it starts the worker processes, lends them out, and replaces those that end.

Threat model. A worker decodes originals of all tenants, one after the other, so one that an original has taken over
could falsify the next pictures, of other tenants too. Two rules limit that. First, a worker serves `worker_jobs` jobs
at most. Second, a worker that refuses an original is replaced: exploits are mostly malformed files, and those that fail
end in a refusal. A successful exploit that answers with a valid picture is not detected; it is confined to the sandbox
and to the rest of that worker's jobs.

A start costs 170 ms of CPU time and must not become a weapon. So the second rule applies at once if another worker is
ready, which is the rule without a flood, and otherwise as soon as one is: at most one worker is replaced for it at a
time, and until then the worker is used only if no other is idle. Measured on two cores, renders per second of a tenant
while another one floods the server with damaged originals: 6.7 without the second rule, 5.9 with it, and 0.8 if a
worker could never serve again after a refusal. A flood of valid originals to be encoded as AVIF leaves 2.2.

Pauses are for workers that *crash*: if one does after the other, each next start waits longer.
"""

import asyncio
import logging
import os
from collections import Counter

from proxy.core.errors import Unavailable
from proxy.core.identifiers import RENDERER_VERSION, RendererVersion
from proxy.settings import Settings
from proxy.workers import process
from proxy.workers.fonts import FontSet
from proxy.workers.framing import is_silent
from proxy.workers.messages import Hello
from proxy.workers.process import Process, WorkerStartError
from proxy.workers.sandbox import ResourceLimits, SandboxFeatures

_LOG = logging.getLogger("darkroom.pixels")

PIXEL_CODE_VERSION = 6
"""Incremented whenever the same plan results in other bytes."""
SHUTTING_DOWN = "The server is shutting down."
CRASHES = ("died", "killed")
"""Reasons of `restarts` that mean that a worker ended during a job, or while it was idle, without being told to."""
_START_DEADLINE_S = 30.0
_CLOSE_DEADLINE_S = 5.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 10.0


class Supervisor:
    """`size` workers and one spare. A worker that was acquired is used by nobody else until it is released."""

    def __init__(self, settings: Settings, command: tuple[str, ...], fonts: FontSet, *, spare: bool = True) -> None:
        self.size = settings.workers or len(os.sched_getaffinity(0))
        self._spares = 1 if spare else 0
        self.alive: set[Process] = set()
        self.idle: list[Process] = []
        self.restarts: Counter[str] = Counter()
        self.closing = False
        self._settings = settings
        self._command = command
        # Honest jobs never use that much: the deadline and `worker_jobs` end them. It is for a server that is stuck.
        cpu_s = int(settings.worker_jobs * settings.render_deadline_s) + 60
        self._limits = ResourceLimits(settings.worker_memory_bytes, cpu_s, settings.derivative_bytes)
        self._fonts = fonts
        self._arguments = (settings.formats, fonts.folder, str(fonts.count), "faces" if settings.faces else "")
        self._worker_added = asyncio.Event()
        self._worker_removed = asyncio.Event()
        self._failures = 0
        """Workers that crashed or did not start since the last job that succeeded."""
        self._starting: set[asyncio.Task[None]] = set()
        self._reaping: set[asyncio.Task[None]] = set()

    async def open(self) -> tuple[RendererVersion, SandboxFeatures]:
        """Start all workers. Return the version of the renderer, and the sandbox around it.

        Raise WorkerStartError if a worker does not start, or lacks a layer of the sandbox that is required.
        """
        starts = (self._start_worker() for _ in range(self.size + self._spares))
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        started = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        for worker, _ in started:
            self._add(worker)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        hello = started[0][1]
        self._check_sandbox(hello.sandbox_features)
        return _renderer_version(hello, self._fonts), hello.sandbox_features

    def _check_sandbox(self, sandbox_features: SandboxFeatures) -> None:
        if not sandbox_features.missing:
            return
        problem = f"The kernel or the container does not offer {' and '.join(sandbox_features.missing)}."
        if self._settings.sandbox == "require":
            raise WorkerStartError(
                f"{problem} Pixel workers need it to decode foreign files safely. Use Linux 5.13 or newer with "
                "Landlock enabled and a container runtime whose seccomp profile allows both, or set "
                "DARKROOM_SANDBOX=prefer to run without it."
            )
        _LOG.warning("%s Pixel workers run without it, because DARKROOM_SANDBOX=prefer.", problem)

    async def close(self) -> None:
        """Kill all workers and wait until they have ended. Jobs that are running release their workers themselves."""
        self.closing = True
        self._worker_added.set()
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
                    self._worker_removed.clear()
                    await self._worker_removed.wait()
                while tasks := self._starting | self._reaping:
                    await asyncio.wait(tasks)
        except TimeoutError:
            _LOG.error("Pixel workers were killed but have not ended.")

    async def acquire(self) -> Process:
        """Return a free worker; wait if several are being replaced. Raise Unavailable if that takes too long."""
        if worker := self._pop_idle():
            return worker
        try:
            async with asyncio.timeout(self._settings.render_deadline_s):
                while not self.closing:
                    self._worker_added.clear()
                    await self._worker_added.wait()
                    if worker := self._pop_idle():
                        return worker
        except TimeoutError:
            raise Unavailable("No pixel worker is ready.") from None
        raise Unavailable(SHUTTING_DOWN)

    def _pop_idle(self) -> Process | None:
        """Return the worker that was used last: its memory is warm, and the spare's stays small."""
        while self.idle:
            worker = self.idle.pop()
            if is_silent(worker.socket):
                return worker
            self._replace(worker, "died")
        return None

    def release(self, worker: Process) -> None:
        """Take a worker back, or replace it if it has ended, owes an answer, or is to be retired."""
        if worker.reply_pending:
            worker.kill("died")
        if reason := worker.ended or self._retirement(worker):
            self._replace(worker, reason)
        else:
            self._failures = 0
            self._add(worker)

    def _retirement(self, worker: Process) -> str | None:
        """Return why a worker must not serve again; None if it may."""
        if len(self.alive) < self.size + self._spares:  # it serves on until another one can take its place
            return None
        if worker.refused:
            return "refused"
        if worker.jobs >= self._settings.worker_jobs:
            return "jobs"
        return "rss" if worker.rss_bytes > self._settings.worker_rss_bytes else None

    def _add(self, worker: Process) -> None:
        """Make a worker available; the one that was added last is used first, one that refused an original last."""
        self.alive.add(worker)
        self.idle.insert(0 if worker.refused else len(self.idle), worker)
        self._worker_added.set()

    def _retire_suspect(self) -> None:
        """Replace an idle worker that refused an original when no other one could take its place."""
        suspect = next((worker for worker in self.idle if worker.refused), None)
        if suspect is not None and len(self.alive) > self.size:
            self.idle.remove(suspect)
            self._replace(suspect, "refused")

    def _replace(self, worker: Process, reason: str) -> None:
        """End a worker that is no longer used, and start another one in the background."""
        self.alive.discard(worker)
        self._worker_removed.set()
        self._reap(worker, reason)
        if self.closing:
            return
        reason = worker.ended or reason
        self.restarts[reason] += 1
        self._failures += reason in CRASHES
        _hold(self._starting, asyncio.create_task(self._start_another()))

    async def _start_another(self) -> None:
        """Start one worker. Try until one starts, ever more slowly."""
        while not self.closing:
            await asyncio.sleep(self._pause_s())
            try:
                worker, _ = await self._start_worker()
            except WorkerStartError as error:
                self._failures += 1
                _LOG.error("%s", error)
            else:
                self._add(worker)
                self._retire_suspect()
                return

    def _pause_s(self) -> float:
        """Return no pause while each worker has failed at most once; then double it, up to the maximum."""
        excess = self._failures - self.size - 1
        return min(_FIRST_PAUSE_S * 2.0 ** min(excess, 10), _LAST_PAUSE_S) if excess > 0 else 0.0

    async def _start_worker(self) -> tuple[Process, Hello]:
        worker = process.start(self._command, self._limits, self._arguments)
        try:
            return worker, await worker.handshake(_START_DEADLINE_S)
        except BaseException:
            self._reap(worker, "start")
            raise

    def _reap(self, worker: Process, reason: str) -> None:
        worker.kill(reason)
        _hold(self._reaping, asyncio.create_task(worker.reap()))


def _renderer_version(hello: Hello, fonts: FontSet) -> RendererVersion:
    """Join the versions of everything that turns a plan into bytes. Raise WorkerStartError if that is not valid."""
    parts = [str(PIXEL_CODE_VERSION), hello.libvips]
    parts += [f"fonts.{fonts.fingerprint}"] if fonts.fingerprint else []
    parts += [f"extras.{hello.extras}"] if hello.extras else []
    version = "-".join(parts)
    if not RENDERER_VERSION.fullmatch(version):
        raise WorkerStartError(f"{version!r} is not a renderer version.")
    return RendererVersion(version)


def _hold(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    """Keep a reference to a task that nobody awaits until it is done."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)
