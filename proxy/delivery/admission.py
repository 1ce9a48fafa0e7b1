"""Admission: how much work is accepted, and in which order it is done.

Theory. A request that needs work takes a *ticket* before anything is fetched for it. There are as many tickets as
renders may run plus requests may wait; a request that gets none is refused at once, so refused work costs nothing and
the originals in memory are bounded by the tickets. On its ticket a request fetches its original, then waits for a
*permit*, which it holds for pixel work only. There are as many permits as workers, and a freed permit goes to the
waiting tenants in turn, so that a flood of one tenant delays the others by one picture at most.

When all tickets are taken, a newcomer is refused, unless another tenant has at least two more waiting tickets than the
newcomer's tenant: then the newest of those is evicted in favour of the newcomer. A ticket that holds a permit is never
evicted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from proxy.core.errors import ServerBusy
from proxy.core.identifiers import TenantName
from proxy.delivery.fair_permits import FairPermits

_BUSY = "Every worker is busy and the queue is full. Try again shortly."


@dataclass(eq=False, slots=True)
class Ticket:
    """A place in an `AdmissionQueue`."""

    tenant: TenantName
    task: "asyncio.Task[Any]"
    """The task that holds it, and that is cancelled when the ticket is evicted."""
    evicted: bool = False


class AdmissionQueue:
    """Admit `permits` jobs at once and `queue_length` waiting ones."""

    def __init__(self, permits: int, queue_length: int, clock: Callable[[], float] = monotonic) -> None:
        self._permits = FairPermits(permits)
        self._capacity = permits + queue_length
        self._clock = clock
        self._waiting: dict[TenantName, dict[Ticket, None]] = {}
        """Tickets without a permit by tenant, the oldest first."""
        self.running = 0
        """Number of tickets that hold a permit."""
        self.admitted = 0
        """Total number of permits granted: the jobs that have begun, however many requests waited for each."""
        self._moved_at = clock()
        self._limit = permits
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_until_idle(self) -> None:
        """Wait until a permit is free and no ticket waits for one."""
        while self.waiting or self.running >= self._limit:
            self._idle.clear()
            await self._idle.wait()

    @property
    def moved_at(self) -> float:
        """When a permit was last released or began to be waited for; now, if no ticket waits for one.

        A queue that has not moved for long is stuck. Slow fetches do not count: they say nothing about the workers.
        """
        return self._moved_at if self._permits.waiting else self._clock()

    @property
    def waiting(self) -> int:
        """Number of tickets without a permit."""
        return sum(len(tickets) for tickets in self._waiting.values())

    @contextmanager
    def ticket(self, tenant: TenantName) -> Iterator[Ticket]:
        """Hold a ticket. Raise ServerBusy at once when all are taken, or later when this one is evicted."""
        if self.waiting + self.running >= self._capacity:
            self._evict_for(tenant)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A ticket is held by a task.")
        cancellations = task.cancelling()
        ticket = Ticket(tenant, task)
        self._waiting.setdefault(tenant, {})[ticket] = None
        try:
            yield ticket
        except asyncio.CancelledError:
            if ticket.evicted and task.uncancel() <= cancellations:
                raise ServerBusy(_BUSY) from None
            raise
        finally:
            self._discard(ticket)

    @asynccontextmanager
    async def permit(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait for a permit and hold it. The ticket is used up by it."""
        if not self._permits.waiting:
            self._moved_at = self._clock()
        async with self._permits.acquire(ticket.tenant):
            self._discard(ticket)
            self.running += 1
            self.admitted += 1
            try:
                yield
            finally:
                self.running -= 1
                self._moved_at = self._clock()
                self._wake_if_idle()

    def _evict_for(self, tenant: TenantName) -> None:
        """Evict the newest ticket of the tenant with the most waiting ones. Raise ServerBusy if that is not fair."""
        longest = max(self._waiting.values(), key=len, default={})
        if len(longest) < len(self._waiting.get(tenant, ())) + 2:
            raise ServerBusy(_BUSY)
        ticket = next(reversed(longest))
        self._discard(ticket)
        ticket.evicted = True
        ticket.task.cancel()

    def _discard(self, ticket: Ticket) -> None:
        tickets = self._waiting.get(ticket.tenant, {})
        tickets.pop(ticket, None)
        if not tickets:
            self._waiting.pop(ticket.tenant, None)
        self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if not self._waiting and self.running < self._limit:
            self._idle.set()
