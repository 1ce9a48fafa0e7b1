"""Admission: a few slots for pixel work, a bounded queue in front of them, fair between tenants.

Theory. A worker is held for pixels only, so there are as many slots as workers. Who finds none free waits in its
tenant's line; a freed slot
goes to the lines in turn, so one tenant's flood delays the others by one picture at most. When the queue is full the
newcomer is refused at once; only
where another tenant's line is longer by two or more does that line's last in queue go in its place.
"""

from asyncio import Future, get_running_loop
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from proxy.core.errors import Busy

_BUSY = "Every worker is busy and the queue is full; try again shortly."


class Gate:
    """`slots` renders at once, `queue_length` waiting."""

    def __init__(self, slots: int, queue_length: int) -> None:
        self._free = slots
        self._room = queue_length
        self._lines: OrderedDict[str, deque[Future[None]]] = OrderedDict()
        self.waiting = 0
        self.running = 0
        self.admitted = 0
        """How many have had a slot so far: the renders that were really begun, however many waited for each."""
        self.moved_at = monotonic()
        """When a slot was last taken or freed: a queue that does not move is not ready."""

    @asynccontextmanager
    async def slot(self, tenant: str) -> AsyncIterator[None]:
        """Hold a slot; refuses with Busy at once when the queue is full."""
        await self._enter(tenant)
        self.running += 1
        self.admitted += 1
        try:
            yield
        finally:
            self.running -= 1
            self._leave()

    async def _enter(self, tenant: str) -> None:
        self.moved_at = monotonic() if not self.waiting else self.moved_at
        if self._free:
            self._free -= 1
            return
        if self.waiting >= self._room:
            self._make_room(tenant)
        turn = get_running_loop().create_future()
        self._lines.setdefault(tenant, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()  # the slot was given in the moment the client left
            elif turn in self._lines.get(tenant, ()):
                self._drop(tenant, turn)
            raise

    def _leave(self) -> None:
        """Give the slot to the next line's first, or keep it free."""
        self.moved_at = monotonic()
        while self._lines:
            tenant, line = next(iter(self._lines.items()))
            turn = line[0]
            self._drop(tenant, turn)
            if tenant in self._lines:
                self._lines.move_to_end(tenant)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, tenant: str) -> None:
        longest, line = max(self._lines.items(), key=lambda one: len(one[1]))
        if len(line) < len(self._lines.get(tenant, ())) + 2:
            raise Busy(_BUSY)
        last = line[-1]
        self._drop(longest, last)
        if not last.done():
            last.set_exception(Busy(_BUSY))

    def _drop(self, tenant: str, turn: Future[None]) -> None:
        line = self._lines[tenant]
        line.remove(turn)
        self.waiting -= 1
        if not line:
            del self._lines[tenant]
