"""Delivery: one image request, from the request to its derivative, in a straight line.

    memory → remembered failures → single flight → other tiers → facts and limits, where they are known
    → ticket → original → permit → worker → reply; the derivative and a record are stored behind it

Until it holds a permit, a render is cancelled when its last waiter leaves. From then on it is finished and stored.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import NamedTuple, TypeVar

from cachetools import LRUCache

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import DeadlineExceeded, LimitExceeded, NotFound, Unavailable
from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.facts_document import describe
from proxy.core.media.formats import JSON, Format
from proxy.core.planning.limits import check_bytes
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Capabilities, PlanContext, plan_render, resolve_plan
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.fair_permits import FairPermits
from proxy.delivery.image_request import ImageRequest
from proxy.delivery.negative_cache import NegativeCache
from proxy.delivery.render_log import RenderLog
from proxy.delivery.source_resolver import SourceResolver
from proxy.ports import Cache, OpenOriginal, Originals, Pixels, RenderRecord, RenderResult

COALESCED = "coalesced"
"""The tier of a derivative that another request's work has brought."""
_REMEMBERED = 10_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A derivative and where it came from."""

    derivative: Derivative
    tier: str
    """A tier's name, `render`, or `coalesced`."""
    stages: tuple[tuple[str, float], ...] = ()
    """Names and durations in seconds of the work done for this request; empty if it joined another one's."""
    joined: bool = False
    """Whether this request waited for the work of another one."""


class Inspected(NamedTuple):
    """What a request would deliver: the format, and the derivative if a tier has it."""

    format: Format
    derivative: Derivative | None


@dataclass(frozen=True, slots=True)
class _KnownOriginal:
    facts: Facts
    size_bytes: int


class Delivery:
    """Deliver derivatives. `fetches` bounds concurrent fetches of originals, `deadline_s` the time of a request."""

    def __init__(  # noqa: PLR0913 - its dependencies, by name
        self,
        *,
        cache: Cache,
        originals: Originals,
        pixels: Pixels,
        admission: AdmissionQueue,
        fetches: FairPermits,
        render_log: RenderLog,
        references: SourceResolver,
        capabilities: Capabilities,
        deadline_s: float,
        negatives: NegativeCache | None = None,
    ) -> None:
        self._cache = cache
        self._originals = originals
        self._pixels = pixels
        self._admission = admission
        self._fetches = fetches
        self._render_log = render_log
        self._references = references
        self._capabilities = capabilities
        self._deadline_s = deadline_s
        self._negatives = negatives or NegativeCache()
        self._renders: SingleFlight[DerivativeKey, Delivered] = SingleFlight()
        self._inspections: SingleFlight[DerivativeKey, Inspected] = SingleFlight()
        self._probes: SingleFlight[tuple[TenantName, Digest], _KnownOriginal] = SingleFlight()
        self._known: LRUCache[tuple[TenantName, Digest], _KnownOriginal] = LRUCache(_REMEMBERED)

    def peek(self, request: ImageRequest) -> tuple[str, Derivative] | None:
        """Return the tier's name and the derivative from this process's memory, without waiting."""
        return self._cache.peek(request.key)

    async def deliver(self, request: ImageRequest) -> Delivered:
        """Return the derivative from the nearest tier, or render it. Concurrent requests for it share the work."""
        self._negatives.check(request)
        joined = request.key in self._renders
        delivered = await self._in_time(self._renders.run(request.key, partial(self._obtain, request)))
        return replace(delivered, tier=COALESCED, stages=(), joined=True) if joined else delivered

    async def inspect(self, request: ImageRequest) -> Inspected:
        """Return what `deliver` would, without rendering. No worker and no fetch is needed where facts are known."""
        self._negatives.check(request)
        return await self._in_time(self._inspections.run(request.key, partial(self._inspect, request)))

    async def close(self) -> None:
        """Cancel all work, renders that are running too, and wait until it has ended."""
        await asyncio.gather(self._inspections.close(), self._renders.close(), self._probes.close())

    async def _in_time(self, work: Awaitable[Value]) -> Value:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(f"The picture was not ready within {self._deadline_s:g} seconds.") from None

    async def _obtain(self, request: ImageRequest) -> Delivered:
        begun = perf_counter()
        match = await self._cache.find(request.key)
        if match is not None:
            return Delivered(match[1], match[0], (("tier", perf_counter() - begun),))
        with self._negatives.remembering(request):
            if request.recipe.format == "json":
                return await self._describe(request)
            return await self._render(request)

    async def _inspect(self, request: ImageRequest) -> Inspected:
        match = await self._cache.find(request.key)
        if match is not None:
            return Inspected(match[1].format, match[1])
        with self._negatives.remembering(request):
            known = await self._learn(request)
            if request.recipe.format == "json":
                return Inspected(JSON, None)
            return Inspected(
                resolve_plan(request.recipe, known.facts, self._plan_context(request)).encoding.format, None
            )

    async def _render(self, request: ImageRequest) -> Delivered:
        known = self._known.get((request.tenant.name, request.original))
        if known is not None:  # what the limits refuse takes no ticket
            check_bytes(known.size_bytes, request.tenant.limits)
            self._plan(request, known.facts)
        begun = perf_counter()
        with self._admission.ticket(request.tenant.name) as ticket, ExitStack() as stack:
            original = stack.enter_context(await self._fetch(request))
            watermark = await self._fetch_watermark(request, stack)
            fetched = perf_counter()
            async with self._admission.permit(ticket):
                admitted = perf_counter()
                self._renders.detach(request.key)
                facts = known.facts if known else None
                result = await self._pixels.render(original, facts, partial(self._plan, request), watermark)
        self._known[request.tenant.name, request.original] = _KnownOriginal(result.facts, original.size_bytes)
        self._cache.store(request.key, result.derivative)
        self._render_log.append(_record(request, result))
        stages = (("fetch", fetched - begun), ("wait", admitted - fetched), ("render", result.render_s))
        return Delivered(result.derivative, "render", stages)

    async def _describe(self, request: ImageRequest) -> Delivered:
        known = await self._learn(request)
        derivative = describe(request.original, known.facts, known.size_bytes)
        self._cache.store(request.key, derivative)
        return Delivered(derivative, "render")

    async def _learn(self, request: ImageRequest) -> _KnownOriginal:
        """Return the original's facts and size, probing it if they are not known."""
        name = request.tenant.name, request.original
        known = self._known.get(name) or await self._probes.run(name, partial(self._probe, request))
        check_bytes(known.size_bytes, request.tenant.limits)
        return known

    async def _probe(self, request: ImageRequest) -> _KnownOriginal:
        name = request.tenant.name, request.original
        with self._admission.ticket(request.tenant.name) as ticket, await self._fetch(request) as original:
            async with self._admission.permit(ticket):
                self._probes.detach(name)
                with self._negatives.remembering_probe(request):
                    facts = await self._pixels.probe(original)
        known = self._known[name] = _KnownOriginal(facts, original.size_bytes)
        return known

    async def _fetch(self, request: ImageRequest) -> OpenOriginal:
        """Open the original, fetching it where it is not local. Raise NotFound, LimitExceeded or Unavailable."""
        try:
            original = await self._open(request.tenant.name, request.original)
        except NotFound:
            self._known.pop((request.tenant.name, request.original), None)
            if not request.reference:
                raise
            await self._references.lost(request.tenant, request.reference, request.original)
            raise Unavailable("The original is no longer stored. Try again: it is fetched from its source.") from None
        try:
            check_bytes(original.size_bytes, request.tenant.limits)
        except LimitExceeded:
            original.close()
            raise
        return original

    async def _fetch_watermark(self, request: ImageRequest, stack: ExitStack) -> OpenOriginal | None:
        if request.recipe.watermark is None:
            return None
        watermark = request.tenant.watermarks[request.recipe.watermark.content]
        return stack.enter_context(await self._open(request.tenant.name, watermark.original))

    async def _open(self, tenant: TenantName, original: Digest) -> OpenOriginal:
        async with self._fetches.acquire(tenant):
            return await self._originals.open(tenant, original)

    def _plan(self, request: ImageRequest, facts: Facts, trimmed: Box | None = None) -> Plan | Trim | Page:
        return plan_render(request.recipe, facts, self._plan_context(request), trimmed)

    def _plan_context(self, request: ImageRequest) -> PlanContext:
        tenant, overlay = request.tenant, request.recipe.watermark
        return PlanContext(
            tenant.limits,
            request.client or "base",
            tenant.rendering,
            tenant.watermarks[overlay.content].size if overlay else None,
            self._capabilities,
        )


def _record(request: ImageRequest, result: RenderResult) -> RenderRecord:
    return RenderRecord(
        tenant=request.tenant.name,
        original=request.original,
        key=request.key,
        recipe=str(request.recipe),
        facts=result.facts,
        derivative_format=result.derivative.format.name,
        width=result.derivative.width,
        height=result.derivative.height,
        size_bytes=len(result.derivative.body),
        render_s=result.render_s,
    )
