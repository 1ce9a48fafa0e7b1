"""TieredCache made of tiers: the same two verbs, asked of each layer in turn, the fastest first.

Any tier may be out. Reading, it is skipped; writing, it does not stop the others. A hit is copied into the
faster tiers: into memory at once, into others behind the answer, and those copies are bounded because they
are only worth having, not owed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, TenantName
from proxy.core.media.derivative import Derivative
from proxy.ports import Derivatives

_LOG = logging.getLogger("darkroom.tiers")
_BEHIND = 64
"""Copies under way at once; beyond it a hit is not copied, and the next hit will be."""


@runtime_checkable
class Instant(Protocol):
    """A tier that need not be awaited."""

    name: str

    def peek(self, key: DerivativeKey) -> Derivative | None:
        """Do what `get` does, at once."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Do what `put` does, at once."""
        ...


class TieredCache:
    """Derivatives in several tiers; the last `durable` of `tiers` are those that must not all fail.

    `skipped` is told the name of a tier each time it is passed over.
    """

    name = "tiers"

    def __init__(
        self, tiers: Sequence[Derivatives], *, durable: int = 1, skipped: Callable[[str], None] | None = None
    ) -> None:
        self._tiers = tuple(tiers)
        # stacked tiers have the instant verbs as well, for the instant ones among theirs alone
        self._instant = tuple(tier for tier in tiers if isinstance(tier, Instant) and tier.name != self.name)
        self._awaited = tuple(tier for tier in tiers if tier not in self._instant)
        self._durable = {tier.name for tier in self._tiers[-durable:]}
        self._skipped = skipped
        self._out: set[str] = set()
        self._behind: dict[DerivativeKey, asyncio.Task[None]] = {}

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Ask the tiers that need not be awaited; the name of the one that had it, and what it keeps."""
        for tier in self._instant:
            if found := tier.peek(key):
                return tier.name, found
        return None

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Ask each tier in turn; the name of the one that had it, and what it keeps."""
        if kept := self.peek(key):
            return kept
        for depth, tier in enumerate(self._awaited):
            if found := await self._get(tier, key):
                self._promote(key, found, self._awaited[:depth])
                return tier.name, found
        return None

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Give what any tier keeps; a tier that is out is skipped, so this never raises Unavailable."""
        found = await self.find(key)
        return found[1] if found else None

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Put into the tiers that need not be awaited."""
        for tier in self._instant:
            tier.store(key, derivative)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Put into every tier at once; Unavailable when no durable tier took it."""
        failures = await asyncio.gather(*(self._put(tier, key, derivative) for tier in self._tiers))
        self._owe(failures)

    async def purge(self, tenant: TenantName) -> int:
        """Forget a tenant's derivatives in every tier; the most that one of them had. Unavailable when one is out."""
        return max(await asyncio.gather(*(tier.purge(tenant) for tier in self._tiers)))

    async def ping(self) -> None:
        """Return when a durable tier answers."""
        self._owe(list((await self.report()).values()))

    async def report(self) -> dict[str, Unavailable | None]:
        """Ping every tier: its name, and why it is out or None."""
        answers = await asyncio.gather(*(self._ping(tier) for tier in self._tiers))
        return {tier.name: answer for tier, answer in zip(self._tiers, answers, strict=True)}

    async def close(self) -> None:
        """Give up the copies that are still under way."""
        behind = list(self._behind.values())
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)

    async def _get(self, tier: Derivatives, key: DerivativeKey) -> Derivative | None:
        try:
            found = await tier.get(key)
        except Unavailable as error:
            self._note(tier, error)
            return None
        self._note(tier, None)
        return found

    async def _put(self, tier: Derivatives, key: DerivativeKey, derivative: Derivative) -> Unavailable | None:
        try:
            await tier.put(key, derivative)
        except Unavailable as error:
            self._note(tier, error)
            return error
        self._note(tier, None)
        return None

    async def _ping(self, tier: Derivatives) -> Unavailable | None:
        try:
            await tier.ping()
        except Unavailable as error:
            return error
        return None

    def _promote(self, key: DerivativeKey, derivative: Derivative, faster: Sequence[Derivatives]) -> None:
        self.store(key, derivative)
        if faster and key not in self._behind and len(self._behind) < _BEHIND:
            task = asyncio.create_task(self._copy(key, derivative, faster))
            self._behind[key] = task
            task.add_done_callback(lambda _: self._behind.pop(key))

    async def _copy(self, key: DerivativeKey, derivative: Derivative, faster: Sequence[Derivatives]) -> None:
        for tier in faster:
            await self._put(tier, key, derivative)

    def _owe(self, failures: Sequence[Unavailable | None]) -> None:
        """Raise the last durable tier's failure when every durable one has failed."""
        paired = zip(self._tiers, failures, strict=True)
        durable = [failure for tier, failure in paired if tier.name in self._durable]
        told = [failure for failure in durable if failure is not None]
        if len(told) == len(durable):
            raise told[-1]

    def _note(self, tier: Derivatives, why: Unavailable | None) -> None:
        """Count each skip, and log when a tier goes out and when it is back."""
        if why is None:
            if tier.name in self._out:
                self._out.discard(tier.name)
                _LOG.info("tier back: %s", tier.name)
            return
        if self._skipped:
            self._skipped(tier.name)
        if tier.name not in self._out:
            self._out.add(tier.name)
            _LOG.warning("tier out: %s: %r", tier.name, why.__cause__ or why)
