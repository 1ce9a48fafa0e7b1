"""One picture, from its request to its derivative, in a straight line.

memory → flight → other tiers → original → facts → plan → slot → worker → reply, kept behind it
"""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from cachetools import LRUCache, TTLCache

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import DarkroomError, DeadlineExceeded, LimitExceeded, NotFound, Unavailable, UnsupportedFormat
from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.facts_document import describe
from proxy.core.media.formats import JSON, Format
from proxy.core.planning.limits import Limits, check_bytes
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Capabilities, PlanContext, plan_render, resolve_plan
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.image_request import ImageRequest
from proxy.delivery.render_log import RenderLog
from proxy.delivery.source_resolver import SourceResolver
from proxy.ports import Cache, OpenOriginal, Originals, Pixels, RenderRecord

_NEGATIVE_S = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """A derivative, where it came from (a tier's name, or `render`), and what its stages took, in seconds."""

    derivative: Derivative
    tier: str
    stages: tuple[tuple[str, float], ...] = ()
    joined: bool = False
    """Whether this caller waited for the work of another one."""


@dataclass(frozen=True, slots=True)
class House:
    """The rooms delivery works with."""

    cache: Cache
    originals: Originals
    pixels: Pixels
    admission: AdmissionQueue
    fetching: asyncio.Semaphore
    render_log: RenderLog
    references: SourceResolver
    capabilities: Capabilities


class Delivery:
    """Delivers pictures; `deadline_s` is one request's time."""

    def __init__(self, house: House, deadline_s: float) -> None:
        self._house = house
        self._deadline_s = deadline_s
        self._single_flight = SingleFlight[DerivativeKey, Delivered]()
        self._facts: LRUCache[Digest, Facts] = LRUCache(_REMEMBERED)
        self._refused: TTLCache[tuple[DerivativeKey, Limits], DarkroomError] = TTLCache(_REMEMBERED, _NEGATIVE_S)

    def peek(self, request: ImageRequest) -> tuple[str, Derivative] | None:
        """Give the derivative and its tier's name from this process's memory, without waiting."""
        return self._house.cache.peek(request.key)

    async def deliver(self, request: ImageRequest) -> Delivered:
        """Give the picture from the nearest tier, or make it; many who ask at once wait for one."""
        refused = self._refused.get((request.key, request.tenant.limits))
        if refused is not None:
            raise refused.with_traceback(None)  # raised again and again: its history must not grow
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._single_flight.run(request.key, partial(self._obtain, request))
        except TimeoutError:
            raise DeadlineExceeded(f"The picture was not ready within {self._deadline_s:g} seconds.") from None
        except (UnsupportedFormat, LimitExceeded) as refusal:
            self._refused[(request.key, request.tenant.limits)] = refusal
            raise

    async def inspect(self, request: ImageRequest) -> tuple[Format, Derivative | None]:
        """Tell what `deliver` would give, making no pixels: the format, and the derivative where a tier has it."""
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await self._house.cache.find(request.key)
                if found is not None:
                    return found[1].format, found[1]
                with await self._open(request) as original:
                    facts = self._facts.get(request.original) or await self._house.pixels.probe(original)
                self._facts[request.original] = facts
                if request.recipe.format == "json":
                    return JSON, None
                return self._format(request, facts), None
        except TimeoutError:
            raise DeadlineExceeded(f"No answer within {self._deadline_s:g} seconds.") from None

    async def _obtain(self, request: ImageRequest) -> Delivered:
        begun = perf_counter()
        found = await self._house.cache.find(request.key)
        if found is not None:
            return Delivered(found[1], found[0], (("tier", perf_counter() - begun),))
        return await self._render(request)

    async def _render(self, request: ImageRequest) -> Delivered:
        begun = perf_counter()
        original = await self._open(request)
        fetched = perf_counter()
        with original, await self._stamp(request) as stamp:
            facts = self._facts.get(request.original)
            if request.recipe.format == "json":
                return await self._described(request, original, facts)
            if facts is not None:
                self._plan(request, facts)  # what the limits refuse never waits for a slot
            async with self._house.admission.permit(request.tenant.name):
                admitted = perf_counter()
                result = await self._house.pixels.render(original, facts, partial(self._plan, request), stamp)
        self._facts[request.original] = result.facts
        self._house.cache.store(request.key, result.derivative)
        self._house.render_log.append(
            RenderRecord(
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
        )
        stages = (("fetch", fetched - begun), ("wait", admitted - fetched), ("render", result.render_s))
        return Delivered(result.derivative, "render", stages)

    async def _open(self, request: ImageRequest) -> OpenOriginal:
        try:
            async with self._house.fetching:
                original = await self._house.originals.open(request.tenant.name, request.original)
        except NotFound:
            if not request.reference:
                raise
            await self._house.references.lost(request.tenant, request.reference, request.original)
            raise Unavailable("What the source gave is no longer kept, and will be asked for again.") from None
        try:
            check_bytes(original.size_bytes, request.tenant.limits)
        except LimitExceeded:
            original.close()
            raise
        return original

    async def _described(self, request: ImageRequest, original: OpenOriginal, facts: Facts | None) -> Delivered:
        if facts is None:
            async with self._house.admission.permit(request.tenant.name):
                facts = await self._house.pixels.probe(original)
            self._facts[request.original] = facts
        return Delivered(describe(request.original, facts, original.size_bytes), "render")

    async def _stamp(self, request: ImageRequest) -> AbstractContextManager[OpenOriginal | None]:
        """Open the watermark's picture where the recipe names one."""
        if request.recipe.watermark is None:
            return nullcontext()
        picture = request.tenant.watermarks[request.recipe.watermark.content].original
        async with self._house.fetching:
            return await self._house.originals.open(request.tenant.name, picture)

    def _format(self, request: ImageRequest, facts: Facts) -> Format:
        """Tell the format there would be; how much a trim leaves is not asked for that."""
        return resolve_plan(request.recipe, facts, self._terms(request)).encoding.format

    def _plan(self, request: ImageRequest, facts: Facts, trimmed: Box | None = None) -> Plan | Trim | Page:
        return plan_render(request.recipe, facts, self._terms(request), trimmed)

    def _terms(self, request: ImageRequest) -> PlanContext:
        tenant, stamp = request.tenant, request.recipe.watermark
        watermark = tenant.watermarks[stamp.content].size if stamp else None
        return PlanContext(
            tenant.limits, request.client or "base", tenant.rendering, watermark, self._house.capabilities
        )
