"""The stacked tiers, filled behind the reply.

Theory. A derivative can be made again, so a write that is lost costs time and no data: the line of pending writes is
bounded in bytes and what does not fit
is left out. What is in the line is also found there, so a picture is not made twice while a slow tier takes it.
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


class TierStack(Protocol):
    """What the cache asks of the tiers it stands before."""

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into the tiers that need not be awaited."""
        ...

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into all tiers, the nearest first."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Put into the tiers that need not be awaited."""
        ...

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Put into every tier; `Unavailable` when no durable one took it."""
        ...


class WriteBehindCache:
    """A `Cache` over a stack of tiers; at most `budget_bytes` wait to be written."""

    def __init__(self, stack: TierStack, budget_bytes: int = 128 * 2**20) -> None:
        self._stack = stack
        self._budget_bytes = budget_bytes
        self._pending: dict[DerivativeKey, Derivative] = {}
        self._queue: asyncio.Queue[DerivativeKey] = asyncio.Queue()
        self.pending_bytes = 0
        self.left_out = 0

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`."""
        return self._stack.peek(key)

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`; what still waits to be written is found as well."""
        waiting = self._pending.get(key)
        return ("memory", waiting) if waiting is not None else await self._stack.find(key)

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """See `Cache`."""
        self._stack.store(key, derivative)
        size = len(derivative.body)
        if key in self._pending:
            return
        if self.pending_bytes + size > self._budget_bytes:
            self.left_out += 1
            return
        self._pending[key] = derivative
        self.pending_bytes += size
        self._queue.put_nowait(key)

    async def write(self) -> None:
        """Write what is kept until cancelled."""
        await asyncio.gather(*(self._write_forever() for _ in range(_WRITERS)))

    async def drain(self) -> None:
        """Return when everything kept so far has been written, or given up."""
        await self._queue.join()

    async def _write_forever(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                async with asyncio.timeout(_WRITE_S):
                    await self._stack.put(key, self._pending[key])
            except (Unavailable, TimeoutError) as error:
                log.warning("no tier kept a derivative", key=key, cause=str(error) or "timeout")
            finally:
                self.pending_bytes -= len(self._pending.pop(key).body)
                self._queue.task_done()
