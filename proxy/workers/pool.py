"""The pool: it runs as many jobs at once as there are cores, each on one worker and each to its end.

Theory. A *permit* of a fair semaphore is the right to use a core; a *worker* is a process. There are `size` permits and
`size + 1` workers, so a job that has a permit finds a worker at once even while one worker is being replaced. A job is
a task of its own that holds both. It ends with the worker's answer or with the worker's end; the deadline and the
closing of the pool bring about the latter by killing the worker. A caller that is cancelled detaches from its job: a
caller that waits for a permit leaves the queue, a job that runs goes on, because a new worker costs as much CPU time as
most renders. Hence a permit is released exactly once, after its worker is no longer in use, whatever happens to the
caller, and no answer is ever left half-read.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from proxy.core.errors import DeadlineExceeded, Unavailable, WorkerCrashed, WorkerKilled
from proxy.core.identifiers import RendererVersion
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.ports import OpenOriginal, Planning, RenderResult
from proxy.settings import Settings
from proxy.workers.fonts import InvalidFonts, copied_fonts
from proxy.workers.framing import WorkerDied, WorkerGone
from proxy.workers.process import WORKER, Process, WorkerStartError
from proxy.workers.sandbox import SandboxFeatures
from proxy.workers.supervisor import CRASHES, SHUTTING_DOWN, Supervisor

_LOG = logging.getLogger("darkroom.pixels")
_Answer = TypeVar("_Answer")
_Job: TypeAlias = Callable[[Process, Sequence[int]], Awaitable[_Answer]]
"""Takes a worker and the descriptors of the job's originals."""

_ATTEMPTS = 2


class Pool:
    """Sandboxed pixel workers (`proxy.ports.Pixels`)."""

    def __init__(
        self,
        supervisor: Supervisor,
        renderer_version: RendererVersion,
        sandbox_features: SandboxFeatures,
        deadline_s: float,
    ) -> None:
        self.renderer_version = renderer_version
        self.sandbox_features = sandbox_features
        """Which layers of the sandbox are active around each worker."""
        self._supervisor = supervisor
        self._deadline_s = deadline_s
        self._permits = asyncio.Semaphore(supervisor.size)
        self._jobs: set[asyncio.Task[Any]] = set()

    @property
    def size(self) -> int:
        """How many jobs can run at once."""
        return self._supervisor.size

    @property
    def workers(self) -> int:
        """How many workers are alive, including the spare."""
        return len(self._supervisor.alive)

    @property
    def idle(self) -> int:
        """How many workers have no job."""
        return len(self._supervisor.idle)

    @property
    def restarts(self) -> Mapping[str, int]:
        """How many workers were replaced, by reason.

        deadline   the job overran `render_deadline_s`
        died       the worker crashed or violated the protocol
        killed     the kernel or an operator killed it
        refused    it refused an original
        jobs, rss  it served `worker_jobs` jobs, or used more memory than `worker_rss_bytes`
        """
        return dict(self._supervisor.restarts)

    @property
    def crashes(self) -> int:
        """How many workers ended without being told to."""
        return sum(self._supervisor.restarts[reason] for reason in CRASHES)

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header, as `Pixels.probe` specifies."""

        async def job(worker: Process, fds: Sequence[int]) -> Facts:
            return await worker.probe(fds[0])

        return await self._with_retry([original], job)

    async def examine(self, original: OpenOriginal) -> Examination:
        """Decode the original to its end, as `Pixels.examine` specifies."""

        async def job(worker: Process, fds: Sequence[int]) -> Examination:
            return await worker.examine(fds[0])

        return await self._with_retry([original], job)

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """Render `plan`, as `Pixels.render` specifies."""

        async def job(worker: Process, fds: Sequence[int]) -> RenderResult:
            fd, *watermark_fds = fds
            known_facts = facts or await worker.probe(fd)
            resolved = await _resolve_plan(worker, fd, known_facts, plan)
            derivative, render_s = await worker.render(fd, resolved, *watermark_fds)
            return RenderResult(known_facts, derivative, render_s)

        return await self._with_retry([original] if watermark is None else [original, watermark], job)

    async def _with_retry(self, originals: Sequence[OpenOriginal], job: _Job[_Answer]) -> _Answer:
        killed: WorkerKilled | None = None
        for _ in range(_ATTEMPTS):
            try:
                return await self._run(originals, job)
            except WorkerDied as error:
                _LOG.warning("A pixel worker died during a job: %s", error)
            except WorkerKilled as error:
                _LOG.warning("%s", error)
                killed = error
        raise killed or WorkerCrashed("Two workers in a row died of this original.")

    async def _run(self, originals: Sequence[OpenOriginal], job: _Job[_Answer]) -> _Answer:
        with ExitStack() as undo:
            fds = []
            for original in originals:  # before the first await: a cancelled caller closes its descriptors
                fds.append(_reopen(original))
                undo.callback(os.close, fds[-1])
            await self._permits.acquire()
            undo.callback(self._permits.release)
            worker = await self._supervisor.acquire()
            task = asyncio.create_task(self._work(worker, fds, job))
            undo.pop_all()
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return await asyncio.shield(task)

    async def _work(self, worker: Process, fds: Sequence[int], job: _Job[_Answer]) -> _Answer:
        """Run the job, then release everything: the descriptors, the worker, the permit."""
        worker.arm_deadline(self._deadline_s, "deadline")
        worker.jobs += 1
        try:
            return await job(worker, fds)
        except WorkerDied as error:
            killed = isinstance(error, WorkerGone) and await worker.was_killed()
            worker.kill("killed" if killed else "died")
            raise _to_exception(worker, error) from error
        finally:
            worker.disarm()
            for fd in fds:
                os.close(fd)
            self._supervisor.release(worker)
            self._permits.release()


async def _resolve_plan(worker: Process, fd: int, facts: Facts, plan: Planning) -> Plan:
    """Let the worker answer the questions that planning has about header and pixels, until there is a plan."""
    resolved = plan(facts, None)
    if isinstance(resolved, Page):
        facts = await worker.probe(fd, resolved.number)
        resolved = plan(facts, None)
    if isinstance(resolved, Trim):
        resolved = plan(facts, await worker.trim(fd, resolved))
    if not isinstance(resolved, Plan):
        raise TypeError("planning asked the same question twice")
    return resolved


def _reopen(original: OpenOriginal) -> int:
    """Open the original once more, read-only, with an offset and a lifetime of its own.

    The caller may close its own descriptor, or let others read from it, while a worker still reads (proc_pid_fd(5)).
    """
    return os.open(f"/proc/self/fd/{original.fd}", os.O_RDONLY)


def _to_exception(worker: Process, error: WorkerDied) -> Exception:
    """Return the exception that the end of a worker means to the caller of its job."""
    match worker.ended:
        case "deadline":
            return DeadlineExceeded("The picture was not ready in time.")
        case "closing":
            return Unavailable(SHUTTING_DOWN)
        case "killed":
            return WorkerKilled("The kernel killed the pixel worker, usually because the machine is out of memory.")
        case _:
            return error


@asynccontextmanager
async def open_pool(
    settings: Settings, command: tuple[str, ...] = WORKER, *, spare: bool = True
) -> AsyncIterator[Pool]:
    """Start the workers and the spare, if any, and end them at the end; jobs that are running then raise Unavailable.

    Raise WorkerStartError if one does not start: wrong libvips, `sandbox=require` not satisfied, unreadable fonts.
    """
    with ExitStack() as stack:
        try:
            fonts = stack.enter_context(copied_fonts(settings.fonts))
        except InvalidFonts as error:
            raise WorkerStartError(str(error)) from error
        supervisor = Supervisor(settings, command, fonts, spare=spare)
        try:
            yield Pool(supervisor, *await supervisor.open(), settings.render_deadline_s)
        finally:
            await supervisor.close()
