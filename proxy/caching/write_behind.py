"""The tiers, written to behind the reply.

Theory. A derivative can be made again, so a lost write costs time and no data. The queue of pending writes is bounded
in bytes, and what does not fit is dropped. What is in the queue is also found there, so no picture is made twice while
a slow tier takes it. A writer outlives every failure of a tier: without writers a restart would render all again.
"""

import asyncio
from typing import Protocol

import structlog

from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey
from proxy.core.media.derivative import Derivative

log = structlog.get_logger("darkroom.cache")

_WRITERS = 4
_WRITE_S = 10.0


class Tiers(Protocol):
    """The tiers, as far as this cache uses them."""

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into the tiers that need not be awaited."""
        ...

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into all tiers, the nearest first."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in the tiers that need not be awaited."""
        ...

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in every tier. Raise Unavailable if no durable tier took the derivative."""
        ...


class WriteBehindCache:
    """A `Cache` over tiers; at most `budget_bytes` wait to be written."""

    def __init__(self, tiers: Tiers, budget_bytes: int = 128 * 2**20) -> None:
        self._tiers = tiers
        self._budget_bytes = budget_bytes
        self._pending: dict[DerivativeKey, Derivative] = {}
        self._queue: asyncio.Queue[DerivativeKey] = asyncio.Queue()
        self._writers = 0
        self.pending_bytes = 0
        """Bodies that wait to be written, or are being written."""
        self.dropped = 0
        """Derivatives that were not written for want of room."""

    @property
    def alive(self) -> bool:
        """Whether all writers run. If not, nothing is written any more and the process has to be replaced."""
        return self._writers == _WRITERS

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`."""
        return self._tiers.peek(key)

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`; what waits to be written is found as well."""
        pending = self._pending.get(key)
        return ("memory", pending) if pending is not None else await self._tiers.find(key)

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """See `Cache`."""
        self._tiers.store(key, derivative)
        if key in self._pending:
            return
        size_bytes = len(derivative.body)
        if self.pending_bytes + size_bytes > self._budget_bytes:
            self.dropped += 1
            return
        self._pending[key] = derivative
        self.pending_bytes += size_bytes
        self._queue.put_nowait(key)

    async def write(self) -> None:
        """Write what is stored, until cancelled."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(_WRITERS):
                writers.create_task(self._write_forever())

    async def drain(self) -> None:
        """Return when everything that was stored so far has been written, or has failed."""
        await self._queue.join()

    async def _write_forever(self) -> None:
        self._writers += 1
        try:
            while True:
                await self._write_next()
        finally:
            self._writers -= 1

    async def _write_next(self) -> None:
        key = await self._queue.get()
        try:
            async with asyncio.timeout(_WRITE_S):
                await self._tiers.put(key, self._pending[key])
        except (Unavailable, TimeoutError) as error:
            log.warning("derivative not stored", key=key, cause=str(error) or "timeout")
        except Exception:
            log.exception("derivative not stored", key=key)
        finally:
            self.pending_bytes -= len(self._pending.pop(key).body)
            self._queue.task_done()
