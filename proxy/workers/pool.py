"""The pool: as many jobs to workers at once as there are cores, each to its end.

Theory. A *turn* (a permit of a fair semaphore) is the right to use a core; a *worker* is a process. There
are `size` turns and `size + 1` workers, so who has a turn finds a worker at once even while one of them is
being replaced. A job is a task of its own that holds both, and ends by itself: with the worker's answer,
or by the worker's end, which the deadline, the client's leaving or the pool's closing bring about by
killing it. So a turn is given back exactly once, after its worker is out of use, whatever happens to the
caller; and nothing ever stops in the middle of an answer.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from proxy.core.errors import DeadlineExceeded, Unavailable, WorkerCrashed
from proxy.core.identifiers import RendererVersion
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.ports import OpenOriginal, Planning, RenderResult
from proxy.settings import Settings
from proxy.workers.fonts import InvalidFonts, copied_fonts
from proxy.workers.framing import WorkerDied
from proxy.workers.process import WORKER, Process, WorkerStartError
from proxy.workers.sandbox import SandboxFeatures
from proxy.workers.supervisor import CLOSED, Supervisor

_LOG = logging.getLogger("darkroom.pixels")
_Answer = TypeVar("_Answer")
_Work: TypeAlias = Callable[[Process, int], Awaitable[_Answer]]

_ATTEMPTS = 2
_GRACE_S = 0.25
"""What a worker may finish after its client has left: most renders do, and a new worker costs as much CPU."""


class Pool:
    """The pixel room (`proxy.ports.Pixels`)."""

    def __init__(
        self,
        supervisor: Supervisor,
        renderer_version: RendererVersion,
        sandbox_features: SandboxFeatures,
        deadline_s: float,
    ) -> None:
        self.renderer_version = renderer_version
        self.sandbox_features = sandbox_features
        """Which features of the sandbox are active around each worker."""
        self._supervisor = supervisor
        self._deadline_s = deadline_s
        self._permits = asyncio.Semaphore(supervisor.size)
        self._jobs: set[asyncio.Task[Any]] = set()

    @property
    def size(self) -> int:
        """How many jobs there may be at once."""
        return self._supervisor.size

    @property
    def workers(self) -> int:
        """How many workers are up, the spare among them."""
        return len(self._supervisor.alive)

    @property
    def idle(self) -> int:
        """How many of them have nothing to do."""
        return len(self._supervisor.idle)

    @property
    def restarts(self) -> Mapping[str, int]:
        """How many workers were replaced, by reason: deadline, left, died, jobs, rss."""
        return dict(self._supervisor.restarts)

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header, as the port promises."""

        async def work(worker: Process, fd: int) -> Facts:
            return await worker.probe(fd)

        return await self._with_retry(original, work)

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """Render what `plan` says, as the port promises."""

        async def work(worker: Process, fd: int) -> RenderResult:
            known = facts or await worker.probe(fd)
            planned = await _settled(worker, fd, known, plan)
            with ExitStack() as undo:
                stamp_fd = None if watermark is None else _reopen(watermark)
                if stamp_fd is not None:
                    undo.callback(os.close, stamp_fd)
                derivative, render_s = await worker.render(fd, planned, stamp_fd)
            return RenderResult(known, derivative, render_s)

        return await self._with_retry(original, work)

    async def _with_retry(self, original: OpenOriginal, work: _Work[_Answer]) -> _Answer:
        for _ in range(_ATTEMPTS):
            try:
                return await self._run_job(original, work)
            except WorkerDied as died:
                _LOG.warning("A pixel worker died at work: %s", died)
        raise WorkerCrashed("Two workers in a row died of this original.")

    async def _run_job(self, original: OpenOriginal, work: _Work[_Answer]) -> _Answer:
        with ExitStack() as undo:
            fd = _reopen(original)
            undo.callback(os.close, fd)
            await self._permits.acquire()
            undo.callback(self._permits.release)
            worker = await self._supervisor.acquire()
            job = asyncio.create_task(self._work(worker, fd, work))
            undo.pop_all()
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            if not job.done():
                worker.arm_deadline(_GRACE_S, "left")
            raise

    async def _work(self, worker: Process, fd: int, work: _Work[_Answer]) -> _Answer:
        """Do the work, then give everything back: the descriptor, the worker, the turn."""
        worker.arm_deadline(self._deadline_s, "deadline")
        worker.jobs += 1
        try:
            return await work(worker, fd)
        except WorkerDied as died:
            worker.kill("died")
            raise _to_exception(worker, died) from died
        finally:
            worker.disarm()
            os.close(fd)
            self._supervisor.release(worker)
            self._permits.release()


async def _settled(worker: Process, fd: int, facts: Facts, plan: Planning) -> Plan:
    """Let the worker answer what the plan asks of header and pixels, until it is one."""
    planned = plan(facts, None)
    if isinstance(planned, Page):
        facts = await worker.probe(fd, planned.number)
        planned = plan(facts, None)
    if isinstance(planned, Trim):
        planned = plan(facts, await worker.trim(fd, planned))
    if not isinstance(planned, Plan):
        raise TypeError("a plan asks twice")
    return planned


def _reopen(original: OpenOriginal) -> int:
    """Open the original once more: for reading alone, with an offset and a lifetime of its own.

    The caller may close his, or have it read by others, while a worker still reads (proc_pid_fd(5)).
    """
    return os.open(f"/proc/self/fd/{original.fd}", os.O_RDONLY)


def _to_exception(worker: Process, died: WorkerDied) -> Exception:
    """Give what the end of a job means to its caller."""
    match worker.ended:
        case "deadline":
            return DeadlineExceeded("The picture was not ready in time.")
        case "closing":
            return Unavailable(CLOSED)
        case _:
            return died


@asynccontextmanager
async def open_pool(settings: Settings, command: tuple[str, ...] = WORKER) -> AsyncIterator[Pool]:
    """Start the workers and the spare, and end them all at the end; jobs then end with Unavailable.

    WorkerStartError when one doesn't start, and why: a wrong libvips, a wall that `sandbox=require` misses, no fonts.
    """
    with ExitStack() as stack:
        try:
            fonts = stack.enter_context(copied_fonts(settings.fonts))
        except InvalidFonts as wrong:
            raise WorkerStartError(str(wrong)) from wrong
        supervisor = Supervisor(settings, command, fonts)
        try:
            yield Pool(supervisor, *await supervisor.open(), settings.render_deadline_s)
        finally:
            await supervisor.close()
