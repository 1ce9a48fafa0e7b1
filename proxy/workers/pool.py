"""The pool: as many visits to workers at once as there are cores, each to its end.

Theory. A *turn* (a permit of a fair semaphore) is the right to use a core; a *worker* is a process. There
are `size` turns and `size + 1` workers, so who has a turn finds a worker at once even while one of them is
being replaced. A visit is a task of its own that holds both, and ends by itself: with the worker's answer,
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

from proxy.core.errors import DeadlinePassed, Poisonous, Unavailable
from proxy.core.identifiers import Generation
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.ports import Developed, OpenOriginal, Planning
from proxy.settings import Settings
from proxy.workers.fonts import WrongFonts, gathered
from proxy.workers.framing import WorkerDied
from proxy.workers.process import WORKER, NoWorker, Process
from proxy.workers.sandbox import Walls
from proxy.workers.supervisor import CLOSED, Crew

_LOG = logging.getLogger("darkroom.pixels")
_Answer = TypeVar("_Answer")
_Work: TypeAlias = Callable[[Process, int], Awaitable[_Answer]]

_ATTEMPTS = 2
_GRACE_S = 0.25
"""What a worker may finish after its client has left: most renders do, and a new worker costs as much CPU."""


class Pool:
    """The pixel room (`proxy.ports.Pixels`)."""

    def __init__(self, crew: Crew, generation: Generation, walls: Walls, deadline_s: float) -> None:
        self.generation = generation
        self.walls = walls
        """Which walls of the sandbox stand around each worker."""
        self._crew = crew
        self._deadline_s = deadline_s
        self._turns = asyncio.Semaphore(crew.size)
        self._visits: set[asyncio.Task[Any]] = set()

    @property
    def size(self) -> int:
        """How many visits there may be at once."""
        return self._crew.size

    @property
    def workers(self) -> int:
        """How many workers are up, the spare among them."""
        return len(self._crew.up)

    @property
    def idle(self) -> int:
        """How many of them have nothing to do."""
        return len(self._crew.idle)

    @property
    def restarts(self) -> Mapping[str, int]:
        """How many workers were replaced, by reason: deadline, left, died, jobs, rss."""
        return dict(self._crew.restarts)

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header, as the port promises."""

        async def work(worker: Process, fd: int) -> Facts:
            return await worker.probe(fd)

        return await self._twice(original, work)

    async def develop(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> Developed:
        """Render what `plan` says, as the port promises."""

        async def work(worker: Process, fd: int) -> Developed:
            known = facts or await worker.probe(fd)
            planned = await _settled(worker, fd, known, plan)
            with ExitStack() as undo:
                stamp_fd = None if watermark is None else _reopen(watermark)
                if stamp_fd is not None:
                    undo.callback(os.close, stamp_fd)
                derivative, render_s = await worker.render(fd, planned, stamp_fd)
            return Developed(known, derivative, render_s)

        return await self._twice(original, work)

    async def _twice(self, original: OpenOriginal, work: _Work[_Answer]) -> _Answer:
        for _ in range(_ATTEMPTS):
            try:
                return await self._visit(original, work)
            except WorkerDied as died:
                _LOG.warning("A pixel worker died at work: %s", died)
        raise Poisonous("Two workers in a row died of this original.")

    async def _visit(self, original: OpenOriginal, work: _Work[_Answer]) -> _Answer:
        with ExitStack() as undo:
            fd = _reopen(original)
            undo.callback(os.close, fd)
            await self._turns.acquire()
            undo.callback(self._turns.release)
            worker = await self._crew.take()
            visit = asyncio.create_task(self._hold(worker, fd, work))
            undo.pop_all()
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        try:
            return await asyncio.shield(visit)
        except asyncio.CancelledError:
            if not visit.done():
                worker.expire(_GRACE_S, "left")
            raise

    async def _hold(self, worker: Process, fd: int, work: _Work[_Answer]) -> _Answer:
        """Do the work, then give everything back: the descriptor, the worker, the turn."""
        worker.expire(self._deadline_s, "deadline")
        worker.jobs += 1
        try:
            return await work(worker, fd)
        except WorkerDied as died:
            worker.kill("died")
            raise _told(worker, died) from died
        finally:
            worker.relax()
            os.close(fd)
            self._crew.put_back(worker)
            self._turns.release()


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


def _told(worker: Process, died: WorkerDied) -> Exception:
    """Give what the end of a visit means to its caller."""
    match worker.ended:
        case "deadline":
            return DeadlinePassed("The picture was not ready in time.")
        case "closing":
            return Unavailable(CLOSED)
        case _:
            return died


@asynccontextmanager
async def open_pool(settings: Settings, command: tuple[str, ...] = WORKER) -> AsyncIterator[Pool]:
    """Start the workers and the spare, and end them all at the end; visits then end with Unavailable.

    NoWorker when one doesn't start, and why: a wrong libvips, a wall that `sandbox=require` misses, no fonts.
    """
    with ExitStack() as stack:
        try:
            fonts = stack.enter_context(gathered(settings.fonts))
        except WrongFonts as wrong:
            raise NoWorker(str(wrong)) from wrong
        crew = Crew(settings, command, fonts)
        try:
            yield Pool(crew, *await crew.open(), settings.render_deadline_s)
        finally:
            await crew.close()
