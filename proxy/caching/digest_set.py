"""A set of originals by tenant, in eight bytes each.

A digest is a SHA-256, so its first 64 bits name an original as well as all of them do: with a million originals in the
set, the odds that another original of the same tenant is taken for one of them are one in 10¹³. The numbers are in
sorted arrays, 256 per tenant at most, so that a change moves a few kilobytes. A tenant without originals takes nothing.
"""

from array import array
from bisect import bisect_left, insort
from typing import Final

from proxy.core.identifiers import Digest, TenantName

_SHARD_DIGITS: Final = 2
_NUMBER_DIGITS: Final = 16


class DigestSet:
    """Originals by tenant and the first 64 bits of their digests."""

    def __init__(self) -> None:
        self._tenants: dict[TenantName, dict[str, array[int]]] = {}
        self.count = 0
        """How many originals there are."""

    def contains(self, tenant: TenantName, original: Digest) -> bool:
        """Return whether an original is in the set."""
        shards = self._tenants.get(tenant)
        if shards is None:
            return False
        numbers = shards.get(original[:_SHARD_DIGITS])
        return numbers is not None and _find(numbers, _number(original)) is not None

    def add(self, tenant: TenantName, original: Digest) -> None:
        """Add an original; one that is there stays."""
        numbers = self._tenants.setdefault(tenant, {}).setdefault(original[:_SHARD_DIGITS], array("Q"))
        number = _number(original)
        if _find(numbers, number) is None:
            insort(numbers, number)
            self.count += 1

    def discard(self, tenant: TenantName, original: Digest) -> None:
        """Remove an original, if it is there."""
        shards = self._tenants.get(tenant, {})
        shard = original[:_SHARD_DIGITS]
        numbers = shards.get(shard)
        place = None if numbers is None else _find(numbers, _number(original))
        if numbers is None or place is None:
            return
        numbers.pop(place)
        self.count -= 1
        if not numbers:
            del shards[shard]
        if not shards:
            del self._tenants[tenant]


def _number(original: Digest) -> int:
    return int(original[:_NUMBER_DIGITS], 16)


def _find(numbers: "array[int]", number: int) -> int | None:
    place = bisect_left(numbers, number)
    return place if place < len(numbers) and numbers[place] == number else None
