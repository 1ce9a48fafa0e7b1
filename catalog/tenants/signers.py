"""Tenants as URLs are signed for them, in memory for a second: most answers hold a signed URL."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from cachetools import TTLCache

from catalog.records.database import Database
from catalog.tenants.tenant_repository import find_signer
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant

CACHE_S: Final = 1.0
"""How long a node signs with a key or preset that another node has removed."""
_MAX_TENANTS: Final = 1_000


class SignerCache:
    """The port `Signers` on the catalog's database."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._tenants: TTLCache[TenantName, Tenant] = TTLCache(_MAX_TENANTS, CACHE_S, clock)

    async def find(self, name: TenantName) -> Tenant:
        """See `Signers`."""
        if (tenant := self._tenants.get(name)) is None:
            tenant = self._tenants[name] = await find_signer(self._database, name)
        return tenant

    def forget(self, name: TenantName) -> None:
        """See `Signers`."""
        self._tenants.pop(name, None)
