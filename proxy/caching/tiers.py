"""Several tiers of derivatives as one: the same methods, called on each tier in turn, the fastest first.

Any tier may be out, or slow. A look-up skips such a tier; a write does not wait for it to take the others. A hit is
copied into the faster tiers: into memory at once, into others behind the answer. Those copies are bounded and may be
dropped: they make the next hit faster, and nothing depends on them.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.derivative import Derivative
from proxy.ports import Derivatives, OriginalName

_LOG = logging.getLogger("darkroom.tiers")
_COPIES = 64
"""Copies that run at once; beyond it a hit is not copied, and the next hit will be."""
_LOOK_UP_S = 0.75
"""For one tier. A render takes 0.03 to 0.5 s: a tier that takes longer than this is slower than doing without, and
two such tiers leave most of a request's 10 s for the original and the render."""


@runtime_checkable
class SynchronousTier(Protocol):
    """A tier that need not be awaited."""

    name: str

    def peek(self, key: DerivativeKey) -> Derivative | None:
        """Do what `get` does, without waiting."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Do what `put` does, without waiting."""
        ...

    async def forget(self, originals: Collection[OriginalName]) -> None:
        """Delete the derivatives of originals."""
        ...


class TieredCache:
    """Derivatives in several tiers; a put fails if all of the last `durable` of `tiers` fail.

    `on_skip` is called with the name of a tier each time the tier is skipped.
    """

    name = "tiers"

    def __init__(
        self, tiers: Sequence[Derivatives], *, durable: int = 1, on_skip: Callable[[str], None] | None = None
    ) -> None:
        self._tiers = tuple(tiers)
        # a tiered cache has the synchronous methods as well, but only for the synchronous ones of its tiers
        self._synchronous = tuple(
            tier for tier in tiers if isinstance(tier, SynchronousTier) and tier.name != self.name
        )
        self._awaited = tuple(tier for tier in tiers if tier not in self._synchronous)
        self._durable = {tier.name for tier in self._tiers[-durable:]}
        self._on_skip = on_skip
        self._out: set[str] = set()
        self._copies: dict[DerivativeKey, asyncio.Task[None]] = {}

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into the synchronous tiers. Return the name of the tier and its derivative."""
        for tier in self._synchronous:
            if (derivative := tier.peek(key)) is not None:
                return tier.name, derivative
        return None

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Look into each tier in turn. Return the name of the tier and its derivative."""
        if (hit := self.peek(key)) is not None:
            return hit
        for depth, tier in enumerate(self._awaited):
            if (derivative := await self._get(tier, key)) is not None:
                self._promote(key, derivative, self._awaited[:depth])
                return tier.name, derivative
        return None

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what any tier holds. A tier that is out is skipped, so this never raises Unavailable."""
        hit = await self.find(key)
        return hit[1] if hit else None

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in the synchronous tiers."""
        for tier in self._synchronous:
            tier.store(key, derivative)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in every tier at once. Raise Unavailable if no durable tier took the derivative."""
        failures = await asyncio.gather(*(self._put(tier, key, derivative) for tier in self._tiers))
        self._raise_for_durable(failures)

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete the derivatives of a tenant, or of one of its originals, from every tier.

        Return the most that one of the tiers held. A tier that fails does not keep the others from being purged; raise
        the first such failure in the end.
        """
        counts = await asyncio.gather(*(tier.purge(tenant, original) for tier in self._tiers), return_exceptions=True)
        for count in counts:
            if isinstance(count, BaseException):
                raise count
        return max(count for count in counts if isinstance(count, int))

    async def forget(self, originals: Collection[OriginalName]) -> None:
        """Delete the derivatives of originals from this process's memory; the shared tiers are left alone."""
        for tier in self._synchronous:
            await tier.forget(originals)

    async def ping(self) -> None:
        """Return if a durable tier answers."""
        self._raise_for_durable(list((await self.report()).values()))

    async def report(self) -> dict[str, Unavailable | None]:
        """Ping every tier. Return its name, and why it is out or None."""
        failures = await asyncio.gather(*(self._ping(tier) for tier in self._tiers))
        return {tier.name: failure for tier, failure in zip(self._tiers, failures, strict=True)}

    async def close(self) -> None:
        """Cancel the copies that still run."""
        copies = list(self._copies.values())
        for task in copies:
            task.cancel()
        await asyncio.gather(*copies, return_exceptions=True)

    async def _get(self, tier: Derivatives, key: DerivativeKey) -> Derivative | None:
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                derivative = await tier.get(key)
        except Unavailable as error:
            self._record(tier, error)
            return None
        except TimeoutError:
            self._record(tier, Unavailable(f"no answer within {_LOOK_UP_S:g} seconds"))
            return None
        self._record(tier, None)
        return derivative

    async def _put(self, tier: Derivatives, key: DerivativeKey, derivative: Derivative) -> Unavailable | None:
        try:
            await tier.put(key, derivative)
        except Unavailable as error:
            self._record(tier, error)
            return error
        self._record(tier, None)
        return None

    async def _ping(self, tier: Derivatives) -> Unavailable | None:
        try:
            await tier.ping()
        except Unavailable as error:
            return error
        return None

    def _promote(self, key: DerivativeKey, derivative: Derivative, faster: Sequence[Derivatives]) -> None:
        self.store(key, derivative)
        if faster and key not in self._copies and len(self._copies) < _COPIES:
            task = asyncio.create_task(self._copy(key, derivative, faster))
            self._copies[key] = task
            task.add_done_callback(lambda _: self._copies.pop(key))

    async def _copy(self, key: DerivativeKey, derivative: Derivative, faster: Sequence[Derivatives]) -> None:
        try:
            for tier in faster:
                await self._put(tier, key, derivative)
        except Exception:  # noqa: BLE001 - nobody awaits a copy: it is logged here
            _LOG.exception("derivative not copied: %s", key)

    def _raise_for_durable(self, failures: Sequence[Unavailable | None]) -> None:
        """Raise the last durable tier's failure if every durable tier has failed."""
        paired = zip(self._tiers, failures, strict=True)
        of_durable = [failure for tier, failure in paired if tier.name in self._durable]
        failed = [failure for failure in of_durable if failure is not None]
        if len(failed) == len(of_durable):
            raise failed[-1]

    def _record(self, tier: Derivatives, failure: Unavailable | None) -> None:
        """Count each skip, and log when a tier goes out and when it is back."""
        if failure is None:
            if tier.name in self._out:
                self._out.discard(tier.name)
                _LOG.info("tier back: %s", tier.name)
            return
        if self._on_skip:
            self._on_skip(tier.name)
        if tier.name not in self._out:
            self._out.add(tier.name)
            _LOG.warning("tier out: %s: %r", tier.name, failure.__cause__ or failure)
