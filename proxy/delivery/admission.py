"""Admission: a few permits for pixel work, a bounded queue in front of them, fair between tenants.

Theory. A worker is held for pixels only, so there are as many permits as workers. Who finds none free waits in its
tenant's queue; a freed permit
goes to the queues in turn, so one tenant's flood delays the others by one picture at most. When the queue is full the
newcomer is refused at once; only
where another tenant's queue is longer by two or more does that queue's last in queue go in its place.
"""

from asyncio import Future, get_running_loop
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from proxy.core.errors import ServerBusy

_BUSY = "Every worker is busy and the queue is full; try again shortly."


class AdmissionQueue:
    """`permits` renders at once, `queue_length` waiting."""

    def __init__(self, permits: int, queue_length: int) -> None:
        self._free = permits
        self._queue_length = queue_length
        self._queues: OrderedDict[str, deque[Future[None]]] = OrderedDict()
        self.waiting = 0
        self.running = 0
        self.admitted = 0
        """How many have had a permit so far: the renders that were really begun, however many waited for each."""
        self.moved_at = monotonic()
        """When a permit was last taken or freed: a queue that does not move is not ready."""

    @asynccontextmanager
    async def permit(self, tenant: str) -> AsyncIterator[None]:
        """Hold a permit; refuses with ServerBusy at once when the queue is full."""
        await self._acquire(tenant)
        self.running += 1
        self.admitted += 1
        try:
            yield
        finally:
            self.running -= 1
            self._release()

    async def _acquire(self, tenant: str) -> None:
        self.moved_at = monotonic() if not self.waiting else self.moved_at
        if self._free:
            self._free -= 1
            return
        if self.waiting >= self._queue_length:
            self._evict(tenant)
        waiter = get_running_loop().create_future()
        self._queues.setdefault(tenant, deque()).append(waiter)
        self.waiting += 1
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release()  # the permit was given in the moment the client left
            elif waiter in self._queues.get(tenant, ()):
                self._remove(tenant, waiter)
            raise

    def _release(self) -> None:
        """Give the permit to the next queue's first, or keep it free."""
        self.moved_at = monotonic()
        while self._queues:
            tenant, queue = next(iter(self._queues.items()))
            waiter = queue[0]
            self._remove(tenant, waiter)
            if tenant in self._queues:
                self._queues.move_to_end(tenant)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def _evict(self, tenant: str) -> None:
        longest, queue = max(self._queues.items(), key=lambda one: len(one[1]))
        if len(queue) < len(self._queues.get(tenant, ())) + 2:
            raise ServerBusy(_BUSY)
        last = queue[-1]
        self._remove(longest, last)
        if not last.done():
            last.set_exception(ServerBusy(_BUSY))

    def _remove(self, tenant: str, waiter: Future[None]) -> None:
        queue = self._queues[tenant]
        queue.remove(waiter)
        self.waiting -= 1
        if not queue:
            del self._queues[tenant]
