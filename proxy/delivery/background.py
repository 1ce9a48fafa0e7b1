"""Background renders: work that nobody waits for, which goes after the requests of people.

Theory. A render cannot be interrupted, so what counts is when it begins. A background render begins when a worker is
free and no request waits, and there are at most half as many as workers: of two workers one is always left to people.
One that has found no such moment for `patience_s` seconds queues as a request does, fairly between tenants, so that it
is late and not forgotten. It then holds a ticket, may be refused with ServerBusy, and is tried again later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from proxy.delivery.admission import AdmissionQueue

PATIENCE_S: Final = 5.0


class BackgroundTurns:
    """Gives out turns for background renders beside an admission queue for `workers` workers."""

    def __init__(self, admission: AdmissionQueue, workers: int, patience_s: float = PATIENCE_S) -> None:
        self._admission = admission
        self._turns = asyncio.Semaphore(max(1, workers // 2))
        self._patience_s = patience_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and for a moment in which no request needs the worker; hold the turn."""
        async with self._turns:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._admission.wait_until_idle()
            yield
