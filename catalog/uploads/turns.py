"""Turns of uploads: how many are received, and how many of them are examined, stored and recorded at once.

An upload takes a ticket before its body is read, and waits for a turn after. What it reads from the database before
that waits for a turn as well. So a burst of uploads is received by and by, what waits is on disk, and the workers and
the database serve a few at a time, tenants in turn.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from proxy.core.errors import ServerBusy
from proxy.delivery.admission import AdmissionQueue, Ticket

WAIT_S: Final = 120.0


@asynccontextmanager
async def turn(queue: AdmissionQueue, ticket: Ticket) -> AsyncIterator[None]:
    """Wait for a turn and hold it. Raise ServerBusy if it does not come in time."""
    try:
        async with asyncio.timeout(WAIT_S) as deadline, queue.permit(ticket):
            deadline.reschedule(None)
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        raise ServerBusy("Too many uploads are waiting. Try again shortly.") from None
