"""Fair permits: a semaphore whose queue is fair between tenants."""

from asyncio import Future, get_running_loop
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.core.identifiers import TenantName


class FairPermits:
    """Hold `count` permits. Serve the waiting tenants in turn, and each tenant's requests in their order.

    The number of waiters is not limited here: callers hold a ticket of an `AdmissionQueue`, which is.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queues: OrderedDict[TenantName, deque[Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def acquire(self, tenant: TenantName) -> AsyncIterator[None]:
        """Wait for a permit and hold it."""
        await self._acquire(tenant)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, tenant: TenantName) -> None:
        if self._free:
            self._free -= 1
            return
        waiter = get_running_loop().create_future()
        self._queues.setdefault(tenant, deque()).append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._release()  # the permit was granted at the moment of the cancellation
            else:
                self._remove(tenant, waiter)
            raise

    def _release(self) -> None:
        """Grant the permit to the first waiter of the next tenant, or keep it free."""
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

    def _remove(self, tenant: TenantName, waiter: Future[None]) -> None:
        queue = self._queues.get(tenant)
        if queue is None or waiter not in queue:
            return
        queue.remove(waiter)
        if not queue:
            del self._queues[tenant]
