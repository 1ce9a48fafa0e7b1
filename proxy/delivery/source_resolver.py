"""Source resolver: which original a source reference means at the moment.

    allowed   by the tenant's sources; checked for every request
    known     in this process or beside the originals, for as long as the tenant trusts it: the source is not asked
    fetched   from the source: unchanged (304), or downloaded, hashed and put into the originals

After that a reference is an original like any other. While a source is out, the original that it meant before is used,
unless that is too old. A source that refuses is not asked again for a few seconds, however many requests want it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from proxy.delivery.bare_errors import without_traceback
from proxy.delivery.staging import StagedFile
from proxy.ports import Originals, ResolvedReferences, Sources

STALE_S = 7 * DAY_S
"""How long after its last answer a source that is out is replaced by what it meant: as stale-if-error."""
_REST_S = 30.0
"""How long a source that is out is not asked again while it is replaced."""
_REFUSED_S = 5.0
_REMEMBERED = 10_000

_Key = tuple[TenantName, Reference]


class SourceResolver:
    """Resolves references with `sources` by scheme.

    `formats` are the formats that are stored, `admission` bounds the concurrent fetches, `deadline_s` the time of one,
    and `clock` returns Unix seconds.
    """

    def __init__(  # noqa: PLR0913 - its dependencies, by name
        self,
        *,
        sources: Mapping[str, Sources],
        originals: Originals,
        resolved_references: ResolvedReferences,
        admission: AdmissionQueue,
        deadline_s: float,
        formats: Sequence[Format] = ALWAYS_READ,
        clock: Callable[[], float] = time,
    ) -> None:
        self._sources = sources
        self._originals = originals
        self._resolved_references = resolved_references
        self._admission = admission
        self._deadline_s = deadline_s
        self._formats = formats
        self._clock = clock
        self._known: LRUCache[_Key, ResolvedReference] = LRUCache(_REMEMBERED)
        self._resting: TTLCache[_Key, Digest] = TTLCache(_REMEMBERED, _REST_S, clock)
        self._refused: TTLCache[_Key, DarkroomError] = TTLCache(_REMEMBERED, _REFUSED_S, clock)
        self._single_flight: SingleFlight[_Key, Digest] = SingleFlight()

    async def resolve(self, tenant: Tenant, original: str) -> Digest:
        """Return the digest of the stored original that a link's `~…` means.

        Raise MalformedRequest, SourceNotAllowed, SourceNotFound, SourceFailed, SourceTimeout, UnsupportedFormat,
        LimitExceeded or Unavailable.
        """
        reference = read_reference(original)
        find_source(tenant.sources, reference)
        key = tenant.name, reference
        digest = self._fresh(self._known.get(key), tenant) or self._resting.get(key)
        if digest is not None:
            return digest
        refused = self._refused.get(key)
        if refused is not None:
            raise without_traceback(refused)
        return await self._single_flight.run(key, partial(self._ask, tenant, reference))

    async def lost(self, tenant: Tenant, original: str, digest: Digest) -> None:
        """Record that the original is no longer stored, so that the next request fetches it without conditions."""
        reference = read_reference(original)
        await self._remember((tenant.name, reference), ResolvedReference(digest, Validators(), 0.0))

    async def close(self) -> None:
        """Cancel all fetches and wait until they have ended."""
        await self._single_flight.close()

    async def _ask(self, tenant: Tenant, reference: Reference) -> Digest:
        key = tenant.name, reference
        stored = await self._look_up_resolved(key)
        digest = self._fresh(stored, tenant)
        if digest is not None:
            return digest
        try:
            return await self._fetch_in_time(tenant, reference, stored)
        except Unavailable as error:
            if stored is None or self._clock() - stored.asked_at > STALE_S:
                if isinstance(error, SourceFailed):
                    self._refused[key] = without_traceback(error)
                raise
            self._resting[key] = stored.digest
            return stored.digest
        except (SourceNotFound, SourceNotAllowed, UnsupportedFormat, LimitExceeded) as error:
            self._refused[key] = without_traceback(error)
            raise

    async def _fetch_in_time(self, tenant: Tenant, reference: Reference, stored: ResolvedReference | None) -> Digest:
        try:
            with self._admission.ticket(tenant.name) as ticket:
                async with asyncio.timeout(self._deadline_s), self._admission.permit(ticket):
                    return await self._fetch(tenant, reference, stored)
        except TimeoutError:
            raise SourceTimeout(f"The source did not answer within {self._deadline_s:g} seconds.") from None

    async def _fetch(self, tenant: Tenant, reference: Reference, stored: ResolvedReference | None) -> Digest:
        asked_at = self._clock()
        known = stored.validators if stored else Validators()
        with StagedFile(tenant.limits.source_bytes) as staged:
            validators = await self._sources[reference.scheme].fetch(reference, tenant.sources, known, staged)
            if stored is not None and validators is None:
                digest, validators = stored.digest, known
            else:
                digest = await self._store(tenant.name, staged)
        await self._remember((tenant.name, reference), ResolvedReference(digest, validators or Validators(), asked_at))
        return digest

    async def _store(self, tenant: TenantName, staged: StagedFile) -> Digest:
        with staged.open() as original:
            if sniff(original.head(SNIFF_BYTES)) not in self._formats:
                names = ", ".join(format_.name for format_ in self._formats)
                raise UnsupportedFormat(f"The source returned an unsupported image format. Supported: {names}.")
            await self._originals.put(tenant, staged.digest, original)
        return staged.digest

    async def _look_up_resolved(self, key: _Key) -> ResolvedReference | None:
        """Return the newest resolution that is known: another process may have asked the source since."""
        stored = None
        with suppress(Unavailable):
            stored = await self._resolved_references.get(*key)
        candidates = [resolved for resolved in (self._known.get(key), stored) if resolved is not None]
        newest = max(candidates, key=lambda resolved: resolved.asked_at, default=None)
        if newest is not None:
            self._known[key] = newest
        return newest

    async def _remember(self, key: _Key, resolved: ResolvedReference) -> None:
        self._known[key] = resolved
        with suppress(Unavailable):
            await self._resolved_references.put(*key, resolved)

    def _fresh(self, resolved: ResolvedReference | None, tenant: Tenant) -> Digest | None:
        if resolved is None or self._clock() >= resolved.asked_at + tenant.reference_ttl_s:
            return None
        return resolved.digest
