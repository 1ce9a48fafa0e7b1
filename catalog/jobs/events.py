"""A job's progress as server-sent events (WHATWG HTML §9.2).

An event's id describes the state that it reports, so a client that comes back with `Last-Event-ID` gets the next one,
and nothing twice. Streams are read from the database once per POLL_S each, so their number is bounded.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi.sse import format_sse_event

from catalog.core.api_errors import RateLimited, ResourceNotFound, Unauthenticated
from catalog.core.job_state import FINISHED, JobState
from catalog.jobs.schemas import view_of
from catalog.jobs.service import find_job
from catalog.records.database import Database
from catalog.records.job import Job
from catalog.records.tenant_scope import tenant_scope
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName

MAX_STREAMS: Final = 100
"""In one process."""
MAX_STREAMS_OF_TENANT: Final = 20
POLL_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
"""A comment is sent after so long without an event, so that proxies leave the connection open."""
LONGEST_STREAM_S: Final = 600.0
"""Then the client connects again, by itself."""
_RETRY_AFTER_S: Final = 5


@dataclass(slots=True)
class JobStreams:
    """The streams of one process, counted."""

    by_tenant: Counter[TenantName] = field(default_factory=Counter)

    @contextmanager
    def open(self, tenant: TenantName) -> Iterator[None]:
        """Count a stream during the block. Raise RateLimited where there are too many."""
        if self.by_tenant.total() >= MAX_STREAMS or self.by_tenant[tenant] >= MAX_STREAMS_OF_TENANT:
            raise RateLimited("job event stream", _RETRY_AFTER_S)
        self.by_tenant[tenant] += 1
        try:
            yield
        finally:
            self.by_tenant[tenant] -= 1


def event_id(row: Job) -> str:
    """Return the id of the event that reports this state of a job."""
    return f"{row.state}.{row.token}.{row.attempts}.{row.done}.{'-' if row.total is None else row.total}"


def is_finished(row: Job) -> bool:
    """Return whether no event follows the one of this state."""
    return JobState(row.state) in FINISHED


@dataclass(frozen=True, slots=True)
class JobEvents:
    """The events of one job of a tenant; `check` raises Unauthenticated once the caller may no longer read."""

    database: Database
    tenant: TenantName
    identifier: str
    check: Callable[[], Awaitable[object]]
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic

    async def stream(self, last_event_id: str | None = None) -> AsyncIterator[bytes]:
        """Yield encoded events, `state` or `progress`, after the one of that id, until the job is finished or gone."""
        sent, state, end_s = last_event_id, (last_event_id or "").partition(".")[0], self.clock() + LONGEST_STREAM_S
        quiet_since_s = self.clock()
        while self.clock() < end_s:
            try:
                row = await self._read()
            except (ResourceNotFound, Unauthenticated):
                return
            if row is not None and event_id(row) != sent:
                yield _encode(row, "progress" if row.state == state else "state")
                sent, state, quiet_since_s = event_id(row), row.state, self.clock()
            elif self.clock() - quiet_since_s >= HEARTBEAT_S:
                yield format_sse_event(comment="heartbeat")
                quiet_since_s = self.clock()
            if row is not None and is_finished(row):
                return
            await self.sleep(POLL_S)

    async def _read(self) -> Job | None:
        """Return the job's row, or None while the database does not answer."""
        try:
            await self.check()
            with tenant_scope(self.tenant):
                async with self.database.reading() as session:
                    return await find_job(session, self.tenant, self.identifier)
        except Unavailable:
            return None


def _encode(row: Job, event: str) -> bytes:
    return format_sse_event(event=event, id=event_id(row), data_str=view_of(row).model_dump_json())
