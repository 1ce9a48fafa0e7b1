"""Refused originals: which originals this process must not deliver, read from the records again and again.

Theory. All refusals are read once at the start, and then each second those that changed. Changes carry the time of the
records' own clock. Transactions are committed in another order than they are dated, so each read begins `OVERLAP_S`
before the last one: a change is seen unless its transaction takes longer than that. A complete read every `RELOAD_S`
finds those as well. While reads fail, what is known goes on to be used: a refusal never ends because of a failure.
Before the first complete read nothing is known, so nothing is delivered (`Unavailable`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from math import inf
from time import monotonic
from typing import Final, TypeVar

import structlog

from proxy.caching.digest_set import DigestSet
from proxy.core.errors import Unavailable
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import OriginalChange, OriginalName, Refusals

log = structlog.get_logger("darkroom.refusals")

PERIOD_S: Final = 1.0
OVERLAP_S: Final = 30.0
RELOAD_S: Final = 600.0
READ_S: Final = 5.0
"""Deadline of one read: a page of changes."""
PAGE: Final = 5_000
LOG_PAUSE_S: Final = 10.0
"""Minimum time between two log lines about failed reads."""

Forget = Callable[[Collection[OriginalName]], Awaitable[None]]
Value = TypeVar("Value")


class RefusedOriginals:
    """The port `KnownRefusals`: keep it up to date by running `read_forever`.

    `forget` is called with the originals that changed, so that memory drops their derivatives.
    """

    def __init__(self, refusals: Refusals, forget: Forget, clock: Callable[[], float] = monotonic) -> None:
        self.generation = 0
        """Counted up by each change: what was checked under the same number need not be checked again."""
        self.failures = 0
        """Number of failed reads."""
        self.loaded = asyncio.Event()
        """Set after the first complete read."""
        self._refusals = refusals
        self._forget = forget
        self._clock = clock
        self._refused: DigestSet | None = None
        self._seen: dict[OriginalName, datetime] = {}
        """The changes of the last read: the next one overlaps with it."""
        self._read_to: datetime | None = None
        """When the last successful read began, by the clock of the records."""
        self._read_at = -inf
        self._reload_at = -inf
        self._logged_at = -inf

    @property
    def count(self) -> int:
        """How many originals are refused."""
        return 0 if self._refused is None else self._refused.count

    @property
    def age_s(self) -> float:
        """Seconds since the last successful read; 0 before the first."""
        return 0.0 if self._read_at == -inf else self._clock() - self._read_at

    def is_refused(self, tenant: TenantName, original: Digest) -> bool:
        """See `KnownRefusals`."""
        if self._refused is None:
            raise Unavailable("The list of refused originals has not been read yet. Try again.")
        return self._refused.contains(tenant, original)

    async def check(self) -> None:
        """Raise Unavailable before the first complete read."""
        if self._refused is None:
            raise Unavailable("The list of refused originals has not been read yet.")

    async def read_forever(self) -> None:
        """Read what changed once per second, until cancelled."""
        while True:
            try:
                await self.read()
            except Exception as error:  # noqa: BLE001 - logged; what is known goes on to be used
                self._report(error)
            await asyncio.sleep(PERIOD_S)

    async def read(self) -> None:
        """Read what changed, and everything where that is due. Raise what the port raises."""
        if self._read_to is not None:
            await self._catch_up(self._read_to)
        if self._clock() >= self._reload_at:
            await self._reload()

    async def _catch_up(self, read_to: datetime) -> None:
        """Apply what changed since shortly before the last read."""
        began = await self._in_time(self._refusals.now())
        window: dict[OriginalName, datetime] = {}
        async for page in self._pages(read_to - timedelta(seconds=OVERLAP_S)):
            fresh = [change for change in page if self._seen.get(change.name) != change.changed_at]
            window.update((change.name, change.changed_at) for change in page)
            if fresh:
                self._apply(self._known(), fresh)
                self.generation += 1
                await self._forget({change.name for change in fresh})
        self._seen, self._read_to, self._read_at = window, began, self._clock()

    async def _reload(self) -> None:
        """Read everything into a new set, and take it for the old one."""
        began = await self._in_time(self._refusals.now())
        refused = DigestSet()
        catch_up_at = self._clock() + PERIOD_S
        async for page in self._pages(None):
            self._apply(refused, page)
            if self._read_to is not None and self._clock() >= catch_up_at:
                await self._catch_up(self._read_to)
                catch_up_at = self._clock() + PERIOD_S
        # what was caught up with meanwhile went into the old set: it is read again, from the beginning of this one
        self._refused, self._seen, self._read_to = refused, {}, began
        self.generation += 1
        self._read_at = self._clock()
        self._reload_at = self._read_at + RELOAD_S
        self.loaded.set()

    def _known(self) -> DigestSet:
        if self._refused is None:
            raise RuntimeError("changes are applied to what a complete read has brought")
        return self._refused

    async def _pages(self, since: datetime | None) -> AsyncIterator[Sequence[OriginalChange]]:
        """Yield all changes since a moment, in the order of their dates."""
        last: OriginalChange | None = None
        while True:
            page = await self._in_time(self._refusals.changes(since, last, PAGE))
            if page:
                yield page
            if len(page) < PAGE:
                return
            last = page[-1]

    @staticmethod
    def _apply(refused: DigestSet, changes: Sequence[OriginalChange]) -> None:
        for change in changes:
            (refused.add if change.refused else refused.discard)(*change.name)

    @staticmethod
    async def _in_time(call: Awaitable[Value]) -> Value:
        async with asyncio.timeout(READ_S):
            return await call

    def _report(self, error: Exception) -> None:
        """Count a failed read, and log it at intervals; an unexpected error with its traceback."""
        self.failures += 1
        now = self._clock()
        if now < self._logged_at + LOG_PAUSE_S:
            return
        self._logged_at = now
        unexpected = not isinstance(error, (Unavailable, TimeoutError))
        log.warning(
            "refusals cannot be read; known ones hold",
            cause=f"{type(error).__name__}: {error}",
            failures=self.failures,
            exc_info=error if unexpected else None,
        )
