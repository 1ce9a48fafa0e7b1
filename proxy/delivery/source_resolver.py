"""SourceResolver: which original a source's address means just now.

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

from cachetools import LRUCache, TTLCache

from proxy.caching.single_flight import SingleFlight
from proxy.core.caching import DAY_S
from proxy.core.errors import (
    DarkroomError,
    LimitExceeded,
    SourceFailed,
    SourceNotAllowed,
    SourceNotFound,
    SourceTimeout,
    Unavailable,
    UnsupportedFormat,
)
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.formats import ALWAYS_READ, SNIFF_BYTES, Format, sniff
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source_reference import Reference, find_source, read_reference
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.staging import StagedFile
from proxy.ports import Originals, ResolvedReferences, Sources

STALE_S = 7 * DAY_S
"""How long a source that is out is stood in for, from when it was last asked: as Cache-Control's stale-if-error."""
_REST_S = 30.0
"""How long a source that is out is not asked again, where there is something to stand in for it."""
_REFUSED_S = 5.0
_REMEMBERED = 10_000

_Key = tuple[TenantName, Reference]


@dataclass(frozen=True, slots=True)
class Outside:
    """What references need of the world: sources by scheme, and where what they give is stored."""

    sources: Mapping[str, Sources]
    originals: Originals
    resolved_references: ResolvedReferences
    formats: Sequence[Format] = ALWAYS_READ
    """What is taken: all else a source gives is refused before it is stored."""


class SourceResolver:
    """Resolves references.

    `admission` bounds how many sources are asked at once, `deadline_s` how long one may take.
    """

    def __init__(
        self, outside: Outside, admission: AdmissionQueue, deadline_s: float, clock: Callable[[], float] = time
    ) -> None:
        self._outside = outside
        self._admission = admission
        self._deadline_s = deadline_s
        self._clock = clock
        self._known: LRUCache[_Key, ResolvedReference] = LRUCache(_REMEMBERED)
        self._resting: TTLCache[_Key, Digest] = TTLCache(_REMEMBERED, _REST_S, clock)
        self._refused: TTLCache[_Key, DarkroomError] = TTLCache(_REMEMBERED, _REFUSED_S, clock)
        self._single_flight: SingleFlight[_Key, Digest] = SingleFlight()

    async def resolve(self, tenant: Tenant, original: str) -> Digest:
        """Give the name of the original that a link's `~…` means; it is in the originals then.

        Refuses with MalformedRequest, SourceNotAllowed, SourceNotFound, SourceFailed, SourceTimeout, UnsupportedFormat,
        LimitExceeded, Unavailable.
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
        return await self._single_flight.run(key, partial(self._ask, tenant, reference))

    async def lost(self, tenant: Tenant, original: str, digest: Digest) -> None:
        """Note that the original is no longer stored: the source is asked for all of it, the next time."""
        reference = read_reference(original)
        await self._remember((tenant.name, reference), ResolvedReference(digest, Validators(), 0.0))

    async def _ask(self, tenant: Tenant, reference: Reference) -> Digest:
        key = tenant.name, reference
        stored = await self._look_up_resolved(key)
        digest = self._fresh(stored, tenant)
        if digest is not None:
            return digest
        try:
            return await self._fetch_in_time(tenant, reference, stored)
        except Unavailable as refusal:
            if stored is None or self._clock() - stored.asked_at > STALE_S:
                if isinstance(refusal, SourceFailed):
                    self._refused[key] = refusal
                raise
            self._resting[key] = stored.digest
            return stored.digest
        except (SourceNotFound, SourceNotAllowed, UnsupportedFormat, LimitExceeded) as refusal:
            self._refused[key] = refusal
            raise

    async def _fetch_in_time(self, tenant: Tenant, reference: Reference, stored: ResolvedReference | None) -> Digest:
        try:
            async with asyncio.timeout(self._deadline_s), self._admission.permit(tenant.name):
                return await self._fetch(tenant, reference, stored)
        except TimeoutError:
            raise SourceTimeout(f"The source was not done within {self._deadline_s:g} seconds.") from None

    async def _fetch(self, tenant: Tenant, reference: Reference, stored: ResolvedReference | None) -> Digest:
        asked_at = self._clock()
        known = stored.validators if stored else Validators()
        with StagedFile(tenant.limits.source_bytes) as intake:
            validators = await self._outside.sources[reference.scheme].fetch(reference, tenant.sources, known, intake)
            if stored is not None and validators is None:
                digest, validators = stored.digest, known
            else:
                digest = await self._take_in(tenant.name, intake)
        await self._remember((tenant.name, reference), ResolvedReference(digest, validators or Validators(), asked_at))
        return digest

    async def _take_in(self, tenant: TenantName, intake: StagedFile) -> Digest:
        with intake.open() as original:
            if sniff(original.head(SNIFF_BYTES)) not in self._outside.formats:
                names = ", ".join(one.name for one in self._outside.formats)
                raise UnsupportedFormat(f"What the source gives is no picture of a kind that is taken: {names}.")
            await self._outside.originals.put(tenant, intake.digest, original)
        return intake.digest

    async def _look_up_resolved(self, key: _Key) -> ResolvedReference | None:
        """Give the newest that is known: another process may have asked since."""
        stored = None
        with suppress(Unavailable):
            stored = await self._outside.resolved_references.get(*key)
        here = self._known.get(key)
        newest = max((one for one in (here, stored) if one), key=lambda one: one.asked_at, default=None)
        if newest is not None:
            self._known[key] = newest
        return newest

    async def _remember(self, key: _Key, resolved: ResolvedReference) -> None:
        self._known[key] = resolved
        with suppress(Unavailable):
            await self._outside.resolved_references.put(*key, resolved)

    def _fresh(self, resolved: ResolvedReference | None, tenant: Tenant) -> Digest | None:
        if resolved is None or self._clock() >= resolved.asked_at + tenant.reference_ttl_s:
            return None
        return resolved.digest
