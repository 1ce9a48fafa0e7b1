"""Hot derivatives in this process's memory: the tier that answers every hit."""

import asyncio
from collections.abc import Collection

from cachetools import LRUCache

from proxy.core.identifiers import DerivativeKey, Digest, TenantName, split_derivative_key
from proxy.core.media.derivative import Derivative
from proxy.ports import OriginalName

_ENTRY_BYTES = 512
"""What an entry costs beside its body: key, objects and its place in the table, rounded up."""
_SLICE = 2_000
"""Keys that `forget` looks at before it lets requests be answered."""
_LARGEST_SHARE = 8
"""A body takes at most this part of the budget: a few large pictures must not empty the cache."""


class MemoryDerivatives:
    """Derivatives within a budget of bytes; the least recently used is evicted first.

    Every operation but `purge` is O(1). For one event loop: no lock is needed, as nothing waits.
    """

    name = "memory"

    def __init__(self, budget_bytes: int) -> None:
        self._cache: LRUCache[DerivativeKey, Derivative] = LRUCache(budget_bytes, getsizeof=_size_bytes)

    @property
    def used_bytes(self) -> int:
        """What the entries take of the budget."""
        return int(self._cache.currsize)

    def peek(self, key: DerivativeKey) -> Derivative | None:
        """Return what was put, if it has not been evicted."""
        return self._cache.get(key)

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative unless there is one. Decline a body over an eighth of the budget."""
        if _size_bytes(derivative) * _LARGEST_SHARE <= self._cache.maxsize and key not in self._cache:
            self._cache[key] = derivative

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """See `peek`."""
        return self.peek(key)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """See `store`."""
        self.store(key, derivative)

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete the derivatives of a tenant, or of one of its originals, from this process."""
        stale = [key for key in self._cache if split_derivative_key(key).belongs_to(tenant, original)]
        for key in stale:
            del self._cache[key]
        return len(stale)

    async def forget(self, originals: Collection[OriginalName]) -> None:
        """Delete the derivatives of originals of any tenants; requests are answered meanwhile."""
        keys = list(self._cache)
        for first in range(0, len(keys), _SLICE):
            for key in keys[first : first + _SLICE]:
                _version, tenant, _epoch, _shard, original, _variant = key.split("/")
                if (tenant, original) in originals:
                    self._cache.pop(key, None)
            await asyncio.sleep(0)

    async def ping(self) -> None:
        """Return: memory is always available."""


def _size_bytes(derivative: Derivative) -> int:
    return len(derivative.body) + _ENTRY_BYTES
