"""What delivery learns, written down behind the replies: a bounded list, a batch a second; no request waits for it."""

import asyncio
from collections import deque
from contextlib import suppress

import structlog

from proxy.core.errors import Unavailable
from proxy.ports import RenderRecord, RenderRecords

log = structlog.get_logger("darkroom.render_log")

_BATCH = 200
_PAUSE_S = 1.0
_WRITE_S = 5.0


class RenderLog:
    """Notes renders and passes them to `records` in batches; beyond `size` unwritten ones the oldest are given up."""

    def __init__(self, records: RenderRecords, size: int = 10_000) -> None:
        self._records = records
        self._pending: deque[RenderRecord] = deque(maxlen=size)
        self.given_up = 0

    def append(self, rendered: RenderRecord) -> None:
        """Remember a render; returns at once."""
        self.given_up += len(self._pending) == self._pending.maxlen
        self._pending.append(rendered)

    async def write(self) -> None:
        """Write batch after batch until cancelled; then write what is left, once."""
        try:
            while True:
                await asyncio.sleep(_PAUSE_S)
                await self._write_all()
        finally:
            with suppress(Unavailable):
                await self._write_all()

    async def _write_all(self) -> None:
        while self._pending:
            batch = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]
            try:
                async with asyncio.timeout(_WRITE_S):
                    await self._records.record(batch)
            except (Unavailable, TimeoutError) as error:
                kept = batch[: (self._pending.maxlen or 0) - len(self._pending)]
                self.given_up += len(batch) - len(kept)
                self._pending.extendleft(reversed(kept))
                log.warning("records are out; renders wait to be noted", waiting=len(self._pending), cause=str(error))
                return
