"""One attempt of one job: the handler, heartbeats beside it, and what is written at its end.

The row is the truth: whatever this process believes about the end, a write that the fencing token refuses changes
nothing. So an outcome whose commit was cut off is written again, and a job that was lost meanwhile is left alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.jobs.claim import ClaimedJob
from catalog.jobs.errors import DocumentRefused, JobCancelled, JobFailed, LeaseLost
from catalog.jobs.lifecycle import Heartbeat, fail, release, stop_cancelled, succeed
from catalog.jobs.ports import EngineOptions
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.records.database import Database
from catalog.records.tenant_scope import tenant_scope
from proxy.core.errors import DarkroomError, Unavailable

log = structlog.get_logger("darkroom.jobs")

BEATS_PER_LEASE: Final = 3
_WRITE_AGAIN_S: Final = 0.25
_CANCELLATION_S: Final = 5.0
"""How long a handler that was cancelled may clean up."""

Write = Callable[[AsyncSession], Awaitable[object]]


class _Stopped(Enum):
    """Why a handler was cancelled."""

    CANCELLED = "cancelled"
    LOST = "lease lost"
    RELEASED = "released"


class Execution:
    """Runs one claimed job to its end; cancel the task of `run` to give the job back."""

    def __init__(
        self, database: Database, registry: HandlerRegistry, options: EngineOptions, claimed: ClaimedJob
    ) -> None:
        self._database = database
        self._registry = registry
        self._options = options
        self._claimed = claimed
        self._job = RunningJob(database, claimed, options.lease_s)
        self._stopped: _Stopped | None = None
        self._log = log.bind(job=claimed.ref.id, kind=claimed.kind, tenant=claimed.tenant, attempt=claimed.attempt)

    async def run(self) -> None:
        """Run the handler and write its outcome, within the scope of the job's tenant. Does not raise."""
        started_s = time.monotonic()
        try:
            with tenant_scope(self._job.tenant):
                write = await self._attempt()
                if write is not None:
                    await self._write(write)
        except Exception:  # noqa: BLE001 - logged; whatever it was, the lease ends and the job runs again
            self._log.exception("job left to the sweep")
        self._log.info("job attempt ended", duration_s=round(time.monotonic() - started_s, 3))

    async def _attempt(self) -> Write | None:
        """Run the handler; return what to write, or None if nothing is left to be written."""
        handling = asyncio.create_task(self._handle(), name=f"job {self._job.id}")
        beating = asyncio.create_task(self._beat(handling), name=f"heartbeat of job {self._job.id}")
        try:
            await asyncio.wait({handling})
        except asyncio.CancelledError:
            self._stopped = self._stopped or _Stopped.RELEASED
            handling.cancel()
            await asyncio.wait({handling}, timeout=_CANCELLATION_S)
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
        if not handling.done():
            self._log.error("handler ignores cancellation: its job is left to the sweep")
            return None
        return self._outcome(handling)

    async def _handle(self) -> Mapping[str, Any]:
        handler = self._registry.find(self._claimed.kind)
        if handler is None:
            raise JobFailed("unknown-kind", f"This version has no handler for jobs of kind {self._claimed.kind}.")
        try:
            async with asyncio.timeout(handler.deadline_s) as deadline:
                return await handler.handle(self._job)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise JobFailed("deadline", f"The attempt took longer than {handler.deadline_s:g} s.") from None

    async def _beat(self, handling: "asyncio.Task[Mapping[str, Any]]") -> None:
        """Extend the lease while the handler runs; cancel the handler where it must not go on."""
        while not handling.done():
            await asyncio.sleep(self._options.lease_s / BEATS_PER_LEASE)
            try:
                answer = await self._job.extend()
            except Exception as error:  # noqa: BLE001 - the database is out: hold on until the lease has ended
                self._log.warning("heartbeat failed", reason=str(error))
                answer = Heartbeat.LOST if time.monotonic() >= self._job.held_until_s else Heartbeat.HELD
            if answer is not Heartbeat.HELD and not self._job.finished:
                self._stopped = _Stopped.LOST if answer is Heartbeat.LOST else _Stopped.CANCELLED
                handling.cancel()
                return

    def _outcome(self, handling: "asyncio.Task[Mapping[str, Any]]") -> Write | None:
        """Return what to write about an attempt that has ended."""
        ref = self._claimed.ref
        if self._job.finished:
            return None
        if handling.cancelled():
            return self._interrupted()
        error = handling.exception()
        if error is None:
            result = handling.result()
            return lambda session: succeed(session, ref, result)
        if isinstance(error, LeaseLost):
            self._log.warning("job lost: its lease ended")
            return None
        if isinstance(error, JobCancelled):
            return lambda session: stop_cancelled(session, ref)
        failure = self._failure_of(error)
        return lambda session: fail(session, ref, failure, pause=self._options.retry_pause_s)

    def _interrupted(self) -> Write | None:
        """Return what to write about a handler that was cancelled."""
        ref = self._claimed.ref
        if self._stopped is _Stopped.LOST:
            self._log.warning("job lost: its lease ended")
            return None
        if self._stopped is _Stopped.CANCELLED:
            return lambda session: stop_cancelled(session, ref)
        if self._stopped is _Stopped.RELEASED:
            return lambda session: release(session, ref)
        failure = JobFailed("internal", "The handler was interrupted.")
        return lambda session: fail(session, ref, failure, pause=self._options.retry_pause_s)

    def _failure_of(self, error: BaseException) -> JobFailed:
        if isinstance(error, JobFailed):
            self._log.warning("job attempt failed", code=error.code, reason=error.detail)
            return error
        if isinstance(error, DarkroomError):
            self._log.warning("job attempt failed", code=error.code, reason=error.detail)
            return JobFailed(error.code, error.detail)
        self._log.error("job attempt failed", exc_info=error)
        return JobFailed("internal", f"The handler raised {type(error).__name__}: see the log.")

    async def _write(self, write: Write) -> None:
        """Write the outcome, again while the database is out and the lease lasts."""
        while True:
            try:
                async with self._database.writing() as session:
                    await write(session)
            except LeaseLost:
                self._log.warning("outcome not written: the job is finished, or belongs to another worker")
            except DocumentRefused as error:
                failure = JobFailed("result-refused", str(error), retry=False)
                write = _failing(self._claimed, failure)
                continue
            except Unavailable:
                if time.monotonic() >= self._job.held_until_s:
                    raise
                await asyncio.sleep(_WRITE_AGAIN_S)
                continue
            return


def _failing(claimed: ClaimedJob, failure: JobFailed) -> Write:
    return lambda session: fail(session, claimed.ref, failure)
