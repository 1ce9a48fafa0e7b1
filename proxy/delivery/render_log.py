"""Render log: a record of each render, written in batches behind the replies. No request waits for it."""

import asyncio
from collections import deque

import structlog

from proxy.core.errors import Unavailable
from proxy.ports import RenderRecord, RenderRecords

log = structlog.get_logger("darkroom.render_log")

_BATCH = 200
_PAUSE_S = 1.0
_WRITE_S = 5.0


class RenderLog:
    """Collects records and writes them to `records`, a batch a second.

    At most `size` records wait. Beyond that, and where a batch fails in an unexpected way, records are dropped.
    """

    def __init__(self, records: RenderRecords, size: int = 10_000, pause_s: float = _PAUSE_S) -> None:
        self._records = records
        self._size = size
        self._pause_s = pause_s
        self._pending: deque[RenderRecord] = deque()
        self._batch: list[RenderRecord] = []
        """The records being written, which are older than the pending ones."""
        self.dropped = 0
        """Total number of records that were dropped."""
        self.alive = False
        """Whether `write` is running."""

    @property
    def waiting(self) -> int:
        """Number of records that are still to be written."""
        return len(self._batch) + len(self._pending)

    def append(self, record: RenderRecord) -> None:
        """Add a record and return at once. The oldest pending one is dropped for it if there is no room."""
        if self.waiting >= self._size and self._pending:
            self._pending.popleft()
            self.dropped += 1
        self._pending.append(record)

    async def write(self) -> None:
        """Write batch after batch until cancelled; then try once to write what is left."""
        self.alive = True
        try:
            while True:
                await asyncio.sleep(self._pause_s)
                await self._write_all()
        finally:
            self.alive = False
            await self._write_all()

    async def _write_all(self) -> None:
        """Write until nothing waits or a batch fails. Only a cancellation leaves this."""
        try:
            while self.waiting:
                await self._write_batch()
        except (Unavailable, TimeoutError) as error:
            log.warning("render records wait: the database is out", waiting=self.waiting, cause=str(error) or "timeout")
        except Exception:
            log.exception("render records dropped", dropped=len(self._batch))
            self.dropped += len(self._batch)
            self._batch = []

    async def _write_batch(self) -> None:
        """Write the next batch. It stays the next one until it has been written: recording it again is harmless."""
        if not self._batch:
            self._batch = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]
        async with asyncio.timeout(_WRITE_S):
            await self._records.record(self._batch)
        self._batch = []
