"""Origins of web pages that tenants allow, in memory: read again when they are older than a tenant's lifetime.

A preflight has no token, so an origin that any tenant allows may ask; the answer to the real request is readable only
for the origins of the caller's own tenant. While the database does not answer, what was read before is used, and
nothing at first: CORS is a permission.
"""

import asyncio
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

import structlog

from catalog.records.database import Database
from catalog.records.tenant_scope import every_tenant
from catalog.settings.service import list_origins
from proxy.caching.single_flight import SingleFlight
from proxy.core.identifiers import TenantName

log = structlog.get_logger("darkroom.cors")

MAX_TENANTS = 10_000
"""Tenants that may allow origins; those behind, in the order of names, are without."""
READ_S = 1.0
"""Deadline of a read."""
RETRY_PAUSE_S = 1.0
"""Minimum time between two reads, the first of which failed."""


class OriginCache:
    """The allowed origins of all tenants, at most `ttl_s` old."""

    def __init__(self, database: Database, ttl_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._clock = clock
        self._by_tenant: Mapping[TenantName, frozenset[str]] = {}
        self._of_all: frozenset[str] = frozenset()
        self._read_again_at = -inf
        self._reads: SingleFlight[None, None] = SingleFlight()

    async def is_allowed(self, origin: str, tenant: TenantName | None) -> bool:
        """Return whether a tenant allows an origin; without a tenant, whether any does."""
        if self._clock() >= self._read_again_at:
            await self._reads.run(None, self._read)
        return origin in (self._of_all if tenant is None else self._by_tenant.get(tenant, frozenset()))

    async def _read(self) -> None:
        try:
            with every_tenant():
                async with asyncio.timeout(READ_S), self._database.reading() as session:
                    rows = await list_origins(session, MAX_TENANTS)
        except Exception as error:  # noqa: BLE001 - whatever fails, what was read before is used
            log.warning("the allowed origins cannot be read", cause=f"{type(error).__name__}: {error}")
            self._read_again_at = self._clock() + RETRY_PAUSE_S
            return
        self._by_tenant = {tenant: frozenset(origins) for tenant, origins in rows}
        self._of_all = frozenset().union(*self._by_tenant.values())
        self._read_again_at = self._clock() + self._ttl_s
