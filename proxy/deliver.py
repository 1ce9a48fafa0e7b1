"""One picture, from link to derivative, in a straight line.

    admit     who asks: tenant, expiry, seal
    resolve   which original, where the link refers to a source
    order     what for: recipe, client class, key, ETag
    deliver   memory → flight → other tiers → original → facts → plan → slot → worker → reply, kept behind it

Everything that can be decided without storage is decided by `admit` and `order`.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from time import perf_counter, time
from typing import NamedTuple

from proxy.bounded import Passing, Recent
from proxy.core import grammar
from proxy.core.caching import Shape, derivative_key, etag
from proxy.core.derivative import Derivative
from proxy.core.document import describe
from proxy.core.errors import (
    DeadlinePassed,
    Forbidden,
    NotAPicture,
    NotFound,
    OverLimit,
    Refusal,
    Unavailable,
)
from proxy.core.facts import Facts
from proxy.core.formats import JSON, Format
from proxy.core.geometry import Box
from proxy.core.hints import hinted, read_hints
from proxy.core.link import Link
from proxy.core.names import DerivativeKey, Digest, TenantName
from proxy.core.negotiation import Client, client_class
from proxy.core.plan import Page, Plan, Trim
from proxy.core.planner import Equipment, Terms, plan_render, planned
from proxy.core.recipe import Recipe
from proxy.core.rules import ruled
from proxy.core.signing import NO_KEY, SigningKey, verify
from proxy.core.tenant import Tenant
from proxy.flight import Flights
from proxy.gate import Gate
from proxy.notebook import Notebook
from proxy.ports import Cache, OpenOriginal, Originals, Pixels, Rendered, TenantsAtHand
from proxy.references import References

NAMED_S = 3_600
_NEGATIVE_S = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """A link that has been believed: what is to be delivered, and under which names."""

    tenant: Tenant
    original: Digest
    recipe: Recipe
    client: Client | None
    """Only where the recipe says `auto`."""
    key: DerivativeKey
    etag: str
    lifetime_s: int | None
    """What is left of a link that expires."""
    fresh_s: int | None
    """How long what is named (a preset, a watermark, a source) is taken to mean the same; None where nothing is."""
    reference: str = ""
    """What `original` was found by, where the link refers to a source."""


class Asked(NamedTuple):
    """What a request says beside its target: Accept, and the fields that are hints (`proxy.core.hints.FIELDS`).

    A tuple, as each hit makes and hashes one: a dataclass costs a microsecond more.
    """

    accept: str = ""
    hints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """A derivative, where it came from (a tier's name, or `render`), and what its stages took, in seconds."""

    derivative: Derivative
    tier: str
    stages: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class House:
    """The rooms delivery works with."""

    tenants: TenantsAtHand
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

    def __init__(self, house: House, deadline_s: float, clock: Callable[[], float] = time) -> None:
        self._house = house
        self._deadline_s = deadline_s
        self._clock = clock
        self._flights: Flights[DerivativeKey, Delivered] = Flights()
        self._facts: Recent[Digest, Facts] = Recent(_REMEMBERED)
        self._refused: Passing[DerivativeKey, Refusal] = Passing(_REMEMBERED, _NEGATIVE_S)

    async def admit(self, link: Link) -> Tenant:
        """Believe the link or refuse with Forbidden; an unknown tenant costs what a wrong seal costs."""
        return self._believe(link, await self._house.tenants.find(link.tenant))

    def admit_at_once(self, link: Link) -> Tenant | None:
        """Do what `admit` does where the tenant is at hand; None where it is not."""
        tenant = self._house.tenants.peek(link.tenant)
        return None if tenant is None else self._believe(link, tenant)

    def still_admits(self, order: Order) -> bool:
        """Tell whether an order of a link without end would be given again: its tenant is who it was then."""
        return self._house.tenants.peek(order.tenant.name) is order.tenant

    def _believe(self, link: Link, tenant: Tenant | None) -> Tenant:
        keys = tenant.keys if tenant else (NO_KEY,)
        sealed = _sealed(keys, link.sealed_text, link.seal or "") or _needs_no_seal(tenant, link)
        expired = link.expires is not None and self._clock() >= link.expires
        if tenant is None or not sealed or expired:
            raise Forbidden
        return tenant

    async def resolve(self, tenant: Tenant, link: Link) -> Digest:
        """Find out which original a link means that refers to a source; what its recipe asks wrongly is told first."""
        ruled(tenant, _parse(link.recipe))
        return await self._house.references.resolve(tenant, link.original)

    def order(self, tenant: Tenant, link: Link, asked: Asked, resolved: Digest | None = None) -> Order:
        """Read the recipe (RecipeFault), apply the tenant's rules, and name what is to be delivered.

        `resolved` is the original of a link that refers to a source.
        """
        said = _parse(link.recipe)
        recipe = ruled(tenant, said)
        if tenant.hints and asked.hints:
            recipe = hinted(recipe, read_hints(asked.hints), tenant.limits.output_side)
        original = link.digest or resolved
        if original is None:
            raise Forbidden
        client = client_class(asked.accept) if recipe.format == "auto" else None
        shape = Shape(
            generation=self._house.pixels.generation,
            recipe=link.recipe if recipe is said else str(recipe),
            client=client,
            manner=_manner(tenant, client),
            watermark=tenant.watermarks[recipe.watermark.what].original if recipe.watermark else "",
        )
        key, tag = _names(tenant.name, original, shape)
        lifetime_s = None if link.expires is None else link.expires - int(self._clock())
        fresh_s = NAMED_S if said.preset or recipe.watermark else None
        if link.digest is None:
            fresh_s = min(fresh_s or tenant.reference_ttl_s, tenant.reference_ttl_s)
        reference = "" if link.digest else link.original
        return Order(tenant, original, recipe, shape.client, key, tag, lifetime_s, fresh_s, reference)

    def at_hand(self, order: Order) -> tuple[str, Derivative] | None:
        """Give the derivative and its tier's name from this process's memory, without waiting."""
        return self._house.cache.peek(order.key)

    async def deliver(self, order: Order) -> Delivered:
        """Give the picture from the nearest tier, or make it; many who ask at once wait for one."""
        refused = self._refused.get(order.key)
        if refused is not None:
            raise refused.with_traceback(None)  # raised again and again: its history must not grow
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._flights.join(order.key, partial(self._obtain, order))
        except TimeoutError:
            raise DeadlinePassed(f"The picture was not ready within {self._deadline_s:g} seconds.") from None
        except (NotAPicture, OverLimit) as refusal:
            self._refused.put(order.key, refusal)
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
                return await self._house.originals.open(order.tenant.name, order.original)
        except NotFound:
            if not order.reference:
                raise
            await self._house.references.lost(order.tenant, order.reference, order.original)
            raise Unavailable("What the source gave is no longer kept, and will be asked for again.") from None

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


def _manner(tenant: Tenant, client: Client | None) -> str:
    """Name what a tenant decides about its pictures' bytes: where `auto` may be AVIF, up to what size it is."""
    if client != "avif":
        return str(tenant.manner)
    return f"{tenant.manner} avif {tenant.limits.avif_pixels} {tenant.limits.avif_side}"


@lru_cache(maxsize=16_384)
def _sealed(keys: tuple[SigningKey, ...], text: str, seal: str) -> bool:
    """Verify a seal, or remember how that ended: it depends on nothing else.

    A seal that is guessed is looked for by its hash, as a whole: how much of it is right shows in no time.
    """
    return verify(keys, text, seal)


def _needs_no_seal(tenant: Tenant | None, link: Link) -> bool:
    """Tell whether the tenant serves this preset, alone and for good, to anybody."""
    # a source's addresses can be guessed, which a content name cannot
    known = link.digest is not None
    named = known and link.seal is None and link.expires is None and link.recipe.startswith("~")
    return named and tenant is not None and link.recipe[1:] in tenant.unsigned


@lru_cache(maxsize=4_096)
def _parse(text: str) -> Recipe:
    return grammar.parse(text)


@lru_cache(maxsize=16_384)
def _names(tenant: TenantName, original: Digest, shape: Shape) -> tuple[DerivativeKey, str]:
    return derivative_key(tenant, original, shape), etag(original, shape)
