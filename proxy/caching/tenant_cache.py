"""Tenants in memory, so that a request of a known tenant does not wait for the database.

Theory. A cached tenant passes through three states. Until 80 % of its lifetime it is served. From then on it is served
and read again in the background, so a tenant with traffic never expires. After its lifetime a request waits for the
read: serving the old tenant without asking would accept a retired key once more after an hour without requests.

If a read fails for any reason, the cached tenant is served for up to 24 hours after it was last read. Within a few
seconds of a failure it is served without waiting, while the read is retried in the background.

Names of all tenants are in memory too. A name that is not among them needs no look-up of its own and no entry in the
cache, so that guessed names cost no transaction, take no longer than a wrong seal, and evict nobody.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

import structlog
from cachetools import LRUCache

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant
from proxy.ports import Tenants

log = structlog.get_logger("darkroom.tenants")

LOOKUP_S = 1.0
"""Deadline of a read: the last fifth of the default lifetime, so that it ends before the tenant expires."""
REFRESH_AHEAD = 0.8
"""Fraction of the lifetime after which a tenant is read again in the background."""
REFRESH_PAUSE_S = 1.0
"""Minimum time between two reads of a tenant that `refresh` causes."""
RETRY_PAUSE_S = 1.0
"""Time between a failed read and the next one."""
STALE_WINDOW_S = 5.0
"""Time after a failed read in which no request waits for the next one."""
STALE_S = 86_400.0
"""Maximum age of a tenant that is served while reads fail."""
NAMES_PAUSE_S = 0.2
"""Minimum time between two reads of all names: at most five per second, however many unknown names are requested."""
LOG_PAUSE_S = 10.0
"""Minimum time between two log lines about failed reads."""


@dataclass(slots=True)
class _Entry:
    tenant: Tenant
    read_at: float
    """When it was last read successfully."""
    tried_at: float
    """When a read last ended, successfully or not."""
    refresh_at: float
    """From then on a request starts a read in the background."""
    expires_at: float
    """From then on a request waits for the read."""


class TenantCache:
    """Caching decorator for `Tenants` (port `CachedTenants`): at most `size` entries with a lifetime of `ttl_s`."""

    def __init__(
        self,
        inner: Tenants,
        ttl_s: float,
        size: int = 10_000,
        clock: Callable[[], float] = monotonic,
        lookup_s: float = LOOKUP_S,
    ) -> None:
        self.failures = 0
        """Number of failed reads."""
        self._inner = inner
        self._ttl_s = ttl_s
        self._clock = clock
        self._lookup_s = lookup_s
        self._entries: LRUCache[TenantName, _Entry] = LRUCache(size)
        self._names: frozenset[TenantName] | None = None
        self._names_asked_at = -inf
        self._retry_at = -inf
        self._logged_at = -inf
        self._tenant_reads: SingleFlight[TenantName, Tenant | None] = SingleFlight()
        self._names_reads: SingleFlight[None, None] = SingleFlight()
        self._background: set[asyncio.Task[None]] = set()

    def peek(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        now = self._clock()
        if now >= entry.expires_at:
            return None
        if now >= entry.refresh_at:
            entry.refresh_at = inf  # one read at a time; it sets the next
            self._start(self._read(name))
        return entry.tenant

    async def find(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        tenant = self.peek(name)
        if tenant is not None:
            return tenant
        if name not in self._entries and not await self._exists(name, self._ttl_s):
            return None
        return await self._read(name)

    async def refresh(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        entry = self._entries.get(name)
        if entry is not None and self._clock() < entry.tried_at + REFRESH_PAUSE_S:
            return entry.tenant
        try:
            if entry is None and not await self._exists(name, NAMES_PAUSE_S):
                return None
            return await self._read(name)
        except Unavailable:
            return None

    async def ping(self) -> None:
        """See `CachedTenants`."""
        await self._inner.ping()

    async def close(self) -> None:
        """Cancel the reads in the background."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _exists(self, name: TenantName, max_age_s: float) -> bool:
        """Return whether there is a tenant of this name, by a list that was read at most `max_age_s` ago.

        Raise Unavailable if no list has been read yet.
        """
        if self._names is not None and name in self._names:
            return True
        if self._names is None:
            max_age_s = NAMES_PAUSE_S
        if self._clock() >= self._names_asked_at + max_age_s:
            await self._names_reads.run(None, self._load_names)
        if self._names is None:
            raise Unavailable("The tenant records do not answer.")
        return name in self._names

    async def _load_names(self) -> None:
        """Read all names; if that fails, those that were read before stay."""
        try:
            async with asyncio.timeout(self._lookup_s):
                self._names = await self._inner.names()
        except Exception as error:  # noqa: BLE001 - logged; requests of known tenants go on
            self._report(error)
        self._names_asked_at = self._clock()  # after the read: until then, other requests wait for the same one

    async def _read(self, name: TenantName) -> Tenant | None:
        """Read a tenant into the cache; concurrent calls share a read. Raise Unavailable if there is none to serve."""
        return await self._tenant_reads.run(name, lambda: self._load(name))

    async def _load(self, name: TenantName) -> Tenant | None:
        entry = self._entries.get(name)
        if self._clock() < self._retry_at:
            return self._stale(name, entry, None)
        try:
            async with asyncio.timeout(self._lookup_s):
                tenant = await self._inner.find(name)
        except Exception as error:  # noqa: BLE001 - whatever fails, the cached tenant is served
            if isinstance(error, (Unavailable, TimeoutError)):
                self._retry_at = self._clock() + RETRY_PAUSE_S
            self._report(error)
            return self._stale(name, entry, error)
        if tenant is None:
            self._forget(name)
            return None
        if entry is not None and entry.tenant == tenant:
            tenant = entry.tenant  # the same object: the fast path compares identities
        now = self._clock()
        self._entries[name] = _Entry(tenant, now, now, now + REFRESH_AHEAD * self._ttl_s, now + self._ttl_s)
        return tenant

    def _stale(self, name: TenantName, entry: _Entry | None, error: Exception | None) -> Tenant:
        """Return the cached tenant after a failed read, and schedule the next. Raise Unavailable if it is too old."""
        now = self._clock()
        if entry is None or now >= entry.read_at + STALE_S:
            self._entries.pop(name, None)
            raise Unavailable("The tenant records do not answer.") from error
        entry.tried_at = now
        entry.refresh_at = now + RETRY_PAUSE_S
        entry.expires_at = min(now + STALE_WINDOW_S, entry.read_at + STALE_S)
        return entry.tenant

    def _forget(self, name: TenantName) -> None:
        """Remove a tenant that no longer exists."""
        self._entries.pop(name, None)
        if self._names is not None:
            self._names -= {name}

    def _report(self, error: Exception) -> None:
        """Count a failed read, and log it at intervals; an unexpected error with its traceback."""
        self.failures += 1
        now = self._clock()
        if now < self._logged_at + LOG_PAUSE_S:
            return
        self._logged_at = now
        unexpected = not isinstance(error, (Unavailable, TimeoutError))
        log.warning(
            "tenants cannot be read; cached ones are served",
            cause=f"{type(error).__name__}: {error}",
            failures=self.failures,
            exc_info=error if unexpected else None,
        )

    def _start(self, read: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(_quietly(read))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _quietly(read: Coroutine[Any, Any, object]) -> None:
    """Await a read whose failure has been reported."""
    with suppress(Unavailable):
        await read
