"""Tenants kept at hand, so that a picture needs no database once its tenant is known."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from cachetools import LRUCache

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant
from proxy.ports import Tenants

_LOOKUP_S = 2.0
"""Longest wait for the records."""
_REFRESH_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Known:
    tenant: Tenant | None
    until: float


class TenantCache:
    """A `Tenants` in front of another: read again after `ttl_s`, and while that fails what was known goes on.

    Unknown names are remembered as well, so guessing them costs the records nothing; `size` bounds both.
    """

    def __init__(
        self, inner: Tenants, ttl_s: float, size: int = 10_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self._inner = inner
        self._ttl_s = ttl_s
        self._clock = clock
        self._known: LRUCache[TenantName, _Known] = LRUCache(size)
        self._lookups: SingleFlight[TenantName, Tenant | None] = SingleFlight()

    def peek(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        known = self._known.get(name)
        return known.tenant if known is not None and self._clock() < known.until else None

    async def find(self, name: TenantName) -> Tenant | None:
        """Give the tenant or None; `Unavailable` only when the records are out and the name was never seen."""
        known = self._known.get(name)
        if known is not None and self._clock() < known.until:
            return known.tenant
        try:
            tenant = await self._lookups.run(name, lambda: self._look_up(name))
        except Unavailable:
            if known is None:
                raise
            tenant = known.tenant
        self._known[name] = _Known(tenant, self._clock() + self._ttl_s)
        return tenant

    async def refresh(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        known = self._known.get(name)
        if known is not None and self._clock() < known.until - self._ttl_s + _REFRESH_PAUSE_S:
            return known.tenant
        self._known.pop(name, None)
        try:
            return await self.find(name)
        except Unavailable:
            return None if known is None else known.tenant

    async def _look_up(self, name: TenantName) -> Tenant | None:
        try:
            async with asyncio.timeout(_LOOKUP_S):
                return await self._inner.find(name)
        except TimeoutError:
            raise Unavailable("The tenant records do not answer.") from None

    async def ping(self) -> None:
        """Ask the records themselves."""
        await self._inner.ping()
