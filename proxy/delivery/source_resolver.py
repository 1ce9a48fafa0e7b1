"""References: which original a source's address means just now.

    allowed?  by the tenant's sources, every time
    known?    in this process, or beside the originals, for as long as the tenant trusts it: then nobody is asked
    asked     the source: unchanged (304), or fetched, hashed and put into the originals

From there on a reference is an original like any other. A source that is out costs nothing while what it meant before
is not too old; a source that refuses is not asked again at once, however many want it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import time

from proxy.caching.bounded import Passing, Recent
from proxy.caching.single_flight import Flights
from proxy.core.caching import DAY_S
from proxy.core.errors import (
    NotAPicture,
    OverLimit,
    Refusal,
    SourceFailed,
    SourceLate,
    SourceMissing,
    SourceNotAllowed,
    Unavailable,
)
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.formats import ALWAYS_READ, SNIFF_BYTES, Format, sniff
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import Meaning, Stamp
from proxy.core.url.source_reference import Reference, find_source, read_reference
from proxy.delivery.admission import Gate
from proxy.delivery.staging import Intake
from proxy.ports import Meanings, Originals, Sources

STALE_S = 7 * DAY_S
"""How long a source that is out is stood in for, from when it was last asked: as Cache-Control's stale-if-error."""
_REST_S = 30.0
"""How long a source that is out is not asked again, where there is something to stand in for it."""
_REFUSED_S = 5.0
_REMEMBERED = 10_000

_Key = tuple[TenantName, Reference]


@dataclass(frozen=True, slots=True)
class Outside:
    """What references need of the world: sources by scheme, and where what they give is kept."""

    sources: Mapping[str, Sources]
    originals: Originals
    meanings: Meanings
    formats: Sequence[Format] = ALWAYS_READ
    """What is taken: all else a source gives is refused before it is kept."""


class References:
    """Resolves references; `gate` bounds how many sources are asked at once, `deadline_s` how long one may take."""

    def __init__(self, outside: Outside, gate: Gate, deadline_s: float, clock: Callable[[], float] = time) -> None:
        self._outside = outside
        self._gate = gate
        self._deadline_s = deadline_s
        self._clock = clock
        self._known: Recent[_Key, Meaning] = Recent(_REMEMBERED)
        self._resting: Passing[_Key, Digest] = Passing(_REMEMBERED, _REST_S, clock)
        self._refused: Passing[_Key, Refusal] = Passing(_REMEMBERED, _REFUSED_S, clock)
        self._flights: Flights[_Key, Digest] = Flights()

    async def resolve(self, tenant: Tenant, original: str) -> Digest:
        """Give the name of the original that a link's `~…` means; it is in the originals then.

        Refuses with Malformed, SourceNotAllowed, SourceMissing, SourceFailed, SourceLate, NotAPicture, OverLimit,
        Unavailable.
        """
        reference = read_reference(original)
        find_source(tenant.sources, reference)
        key = tenant.name, reference
        digest = self._fresh(self._known.get(key), tenant) or self._resting.get(key)
        if digest is not None:
            return digest
        refused = self._refused.get(key)
        if refused is not None:
            raise refused.with_traceback(None)  # raised again and again: its history must not grow
        return await self._flights.join(key, partial(self._ask, tenant, reference))

    async def lost(self, tenant: Tenant, original: str, digest: Digest) -> None:
        """Note that the original is no longer kept: the source is asked for all of it, the next time."""
        reference = read_reference(original)
        await self._note((tenant.name, reference), Meaning(digest, Stamp(), 0.0))

    async def _ask(self, tenant: Tenant, reference: Reference) -> Digest:
        key = tenant.name, reference
        kept = await self._recall(key)
        digest = self._fresh(kept, tenant)
        if digest is not None:
            return digest
        try:
            return await self._fetch_in_time(tenant, reference, kept)
        except Unavailable as refusal:
            if kept is None or self._clock() - kept.asked_at > STALE_S:
                if isinstance(refusal, SourceFailed):
                    self._refused.put(key, refusal)
                raise
            self._resting.put(key, kept.digest)
            return kept.digest
        except (SourceMissing, SourceNotAllowed, NotAPicture, OverLimit) as refusal:
            self._refused.put(key, refusal)
            raise

    async def _fetch_in_time(self, tenant: Tenant, reference: Reference, kept: Meaning | None) -> Digest:
        try:
            async with asyncio.timeout(self._deadline_s), self._gate.slot(tenant.name):
                return await self._fetch(tenant, reference, kept)
        except TimeoutError:
            raise SourceLate(f"The source was not done within {self._deadline_s:g} seconds.") from None

    async def _fetch(self, tenant: Tenant, reference: Reference, kept: Meaning | None) -> Digest:
        asked_at = self._clock()
        known = kept.stamp if kept else Stamp()
        with Intake(tenant.limits.source_bytes) as intake:
            stamp = await self._outside.sources[reference.scheme].fetch(reference, tenant.sources, known, intake)
            if kept is not None and stamp is None:
                digest, stamp = kept.digest, known
            else:
                digest = await self._take_in(tenant.name, intake)
        await self._note((tenant.name, reference), Meaning(digest, stamp or Stamp(), asked_at))
        return digest

    async def _take_in(self, tenant: TenantName, intake: Intake) -> Digest:
        with intake.open() as original:
            if sniff(original.head(SNIFF_BYTES)) not in self._outside.formats:
                names = ", ".join(one.name for one in self._outside.formats)
                raise NotAPicture(f"What the source gives is no picture of a kind that is taken: {names}.")
            await self._outside.originals.put(tenant, intake.digest, original)
        return intake.digest

    async def _recall(self, key: _Key) -> Meaning | None:
        """Give the newest that is known: another process may have asked since."""
        kept = None
        with suppress(Unavailable):
            kept = await self._outside.meanings.recall(*key)
        here = self._known.get(key)
        newest = max((one for one in (here, kept) if one), key=lambda one: one.asked_at, default=None)
        if newest is not None:
            self._known.put(key, newest)
        return newest

    async def _note(self, key: _Key, meaning: Meaning) -> None:
        self._known.put(key, meaning)
        with suppress(Unavailable):
            await self._outside.meanings.keep(*key, meaning)

    def _fresh(self, meaning: Meaning | None, tenant: Tenant) -> Digest | None:
        if meaning is None or self._clock() >= meaning.asked_at + tenant.reference_ttl_s:
            return None
        return meaning.digest
