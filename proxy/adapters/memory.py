"""Hot derivatives in this process's memory: the tier that every hit is answered from."""

from collections import OrderedDict

from proxy.core.identifiers import DerivativeKey, TenantName, split_derivative_key
from proxy.core.media.derivative import Derivative

_ENTRY_BYTES = 512
"""What an entry costs beside its body: key, objects and its place in the table, rounded up."""
_LARGEST_SHARE = 8
"""One body takes at most this part of the budget: a few large pictures must not empty the cache."""


class MemoryDerivatives:
    """Least recently used goes first; every operation is O(1). For one event loop: no lock, as nothing waits."""

    name = "memory"

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._kept: OrderedDict[DerivativeKey, Derivative] = OrderedDict()

    @property
    def used_bytes(self) -> int:
        """What the entries take of the budget."""
        return self._used_bytes

    def peek(self, key: DerivativeKey) -> Derivative | None:
        """Do what `get` does, at once."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Do what `put` does, at once."""
        size_bytes = len(derivative.body) + _ENTRY_BYTES
        if size_bytes * _LARGEST_SHARE > self._budget_bytes or self.peek(key) is not None:
            return
        self._kept[key] = derivative
        self._used_bytes += size_bytes
        while self._used_bytes > self._budget_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._used_bytes -= len(dropped.body) + _ENTRY_BYTES

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Give what was put, if the budget still holds it."""
        return self.peek(key)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep a derivative, drop the least recently used; a body over an eighth of the budget is declined."""
        self.store(key, derivative)

    async def purge(self, tenant: TenantName) -> int:
        """Forget a tenant's derivatives, in this process."""
        gone = [key for key in self._kept if split_derivative_key(key).tenant == tenant]
        for key in gone:
            self._used_bytes -= len(self._kept.pop(key).body) + _ENTRY_BYTES
        return len(gone)

    async def ping(self) -> None:
        """Return: memory answers."""
