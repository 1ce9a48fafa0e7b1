"""One picture, from its order to its derivative, in a straight line.

memory → flight → other tiers → original → facts → plan → slot → worker → reply, kept behind it
"""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from proxy.caching.bounded import Passing, Recent
from proxy.caching.single_flight import Flights
from proxy.core.errors import DeadlinePassed, NotAPicture, NotFound, OverLimit, Refusal, Unavailable
from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.facts_document import describe
from proxy.core.media.formats import JSON, Format
from proxy.core.planning.limits import Limits, check_bytes
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Equipment, Terms, plan_render, planned
from proxy.delivery.admission import Gate
from proxy.delivery.image_request import Order
from proxy.delivery.render_log import Notebook
from proxy.delivery.source_resolver import References
from proxy.ports import Cache, OpenOriginal, Originals, Pixels, Rendered

_NEGATIVE_S = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """A derivative, where it came from (a tier's name, or `render`), and what its stages took, in seconds."""

    derivative: Derivative
    tier: str
    stages: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class House:
    """The rooms delivery works with."""

    cache: Cache
    originals: Originals
    pixels: Pixels
    gate: Gate
    fetching: asyncio.Semaphore
    notebook: Notebook
    references: References
    equipment: Equipment


class Delivery:
    """Delivers pictures; `deadline_s` is one request's time."""

    def __init__(self, house: House, deadline_s: float) -> None:
        self._house = house
        self._deadline_s = deadline_s
        self._flights = Flights[DerivativeKey, Delivered]()
        self._facts = Recent[Digest, Facts](_REMEMBERED)
        self._refused = Passing[tuple[DerivativeKey, Limits], Refusal](_REMEMBERED, _NEGATIVE_S)

    def at_hand(self, order: Order) -> tuple[str, Derivative] | None:
        """Give the derivative and its tier's name from this process's memory, without waiting."""
        return self._house.cache.peek(order.key)

    async def deliver(self, order: Order) -> Delivered:
        """Give the picture from the nearest tier, or make it; many who ask at once wait for one."""
        refused = self._refused.get((order.key, order.tenant.limits))
        if refused is not None:
            raise refused.with_traceback(None)  # raised again and again: its history must not grow
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._flights.join(order.key, partial(self._obtain, order))
        except TimeoutError:
            raise DeadlinePassed(f"The picture was not ready within {self._deadline_s:g} seconds.") from None
        except (NotAPicture, OverLimit) as refusal:
            self._refused.put((order.key, order.tenant.limits), refusal)
            raise

    async def inspect(self, order: Order) -> tuple[Format, Derivative | None]:
        """Tell what `deliver` would give, making no pixels: the format, and the derivative where a tier has it."""
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await self._house.cache.find(order.key)
                if found is not None:
                    return found[1].format, found[1]
                with await self._open(order) as original:
                    facts = self._facts.get(order.original) or await self._house.pixels.probe(original)
                self._facts.put(order.original, facts)
                if order.recipe.format == "json":
                    return JSON, None
                return self._format(order, facts), None
        except TimeoutError:
            raise DeadlinePassed(f"No answer within {self._deadline_s:g} seconds.") from None

    async def _obtain(self, order: Order) -> Delivered:
        begun = perf_counter()
        found = await self._house.cache.find(order.key)
        if found is not None:
            return Delivered(found[1], found[0], (("tier", perf_counter() - begun),))
        return await self._develop(order)

    async def _develop(self, order: Order) -> Delivered:
        begun = perf_counter()
        original = await self._open(order)
        fetched = perf_counter()
        with original, await self._stamp(order) as stamp:
            facts = self._facts.get(order.original)
            if order.recipe.format == "json":
                return await self._described(order, original, facts)
            if facts is not None:
                self._plan(order, facts)  # what the limits refuse never waits for a slot
            async with self._house.gate.slot(order.tenant.name):
                admitted = perf_counter()
                developed = await self._house.pixels.develop(original, facts, partial(self._plan, order), stamp)
        self._facts.put(order.original, developed.facts)
        self._house.cache.keep(order.key, developed.derivative)
        self._house.notebook.note(
            Rendered(
                tenant=order.tenant.name,
                original=order.original,
                key=order.key,
                recipe=str(order.recipe),
                facts=developed.facts,
                derivative_format=developed.derivative.format.name,
                width=developed.derivative.width,
                height=developed.derivative.height,
                size_bytes=len(developed.derivative.body),
                render_s=developed.render_s,
            )
        )
        stages = (("fetch", fetched - begun), ("wait", admitted - fetched), ("render", developed.render_s))
        return Delivered(developed.derivative, "render", stages)

    async def _open(self, order: Order) -> OpenOriginal:
        try:
            async with self._house.fetching:
                original = await self._house.originals.open(order.tenant.name, order.original)
        except NotFound:
            if not order.reference:
                raise
            await self._house.references.lost(order.tenant, order.reference, order.original)
            raise Unavailable("What the source gave is no longer kept, and will be asked for again.") from None
        try:
            check_bytes(original.size_bytes, order.tenant.limits)
        except OverLimit:
            original.close()
            raise
        return original

    async def _described(self, order: Order, original: OpenOriginal, facts: Facts | None) -> Delivered:
        if facts is None:
            async with self._house.gate.slot(order.tenant.name):
                facts = await self._house.pixels.probe(original)
            self._facts.put(order.original, facts)
        return Delivered(describe(order.original, facts, original.size_bytes), "render")

    async def _stamp(self, order: Order) -> AbstractContextManager[OpenOriginal | None]:
        """Open the watermark's picture where the recipe names one."""
        if order.recipe.watermark is None:
            return nullcontext()
        picture = order.tenant.watermarks[order.recipe.watermark.what].original
        async with self._house.fetching:
            return await self._house.originals.open(order.tenant.name, picture)

    def _format(self, order: Order, facts: Facts) -> Format:
        """Tell the format there would be; how much a trim leaves is not asked for that."""
        return planned(order.recipe, facts, self._terms(order)).encoding.format

    def _plan(self, order: Order, facts: Facts, trimmed: Box | None = None) -> Plan | Trim | Page:
        return plan_render(order.recipe, facts, self._terms(order), trimmed)

    def _terms(self, order: Order) -> Terms:
        tenant, stamp = order.tenant, order.recipe.watermark
        watermark = tenant.watermarks[stamp.what].size if stamp else None
        return Terms(tenant.limits, order.client or "base", tenant.manner, watermark, self._house.equipment)
