"""RequestBuilder: what a link asks for, believed and named; nothing is read from storage for it.

authorize     who asks: tenant, expiry, seal
resolve   which original, where the link refers to a source
request     what for: recipe, client class, key, ETag
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from time import time
from typing import NamedTuple

from proxy.core.caching import VariantKey, derivative_key, etag
from proxy.core.errors import Forbidden
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName
from proxy.core.planning.negotiation import Client, client_class
from proxy.core.recipe import grammar
from proxy.core.recipe.client_hints import apply_hints, read_hints
from proxy.core.recipe.presets import apply_presets
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link
from proxy.core.url.signing import NO_KEY, SigningKey, verify
from proxy.delivery.source_resolver import SourceResolver
from proxy.ports import CachedTenants

NAMED_S = 3_600


@dataclass(frozen=True, slots=True)
class ImageRequest:
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


class NegotiationHeaders(NamedTuple):
    """What a request says beside its target: Accept, and the hints (`proxy.core.recipe.client_hints.FIELDS`).

    A tuple, as each hit makes and hashes one: a dataclass costs a microsecond more.
    """

    accept: str = ""
    hints: tuple[tuple[str, str], ...] = ()


class RequestBuilder:
    """Takes requests. What it makes is made of `renderer_version`'s pixels."""

    def __init__(
        self,
        tenants: CachedTenants,
        references: SourceResolver,
        renderer_version: RendererVersion,
        clock: Callable[[], float] = time,
    ) -> None:
        self._tenants = tenants
        self._references = references
        self._renderer_version = renderer_version
        self._clock = clock

    async def authorize(self, link: Link) -> Tenant:
        """Believe the link or refuse with Forbidden; an unknown tenant costs what a wrong seal costs."""
        return self._verify(link, await self._tenants.find(link.tenant))

    def authorize_cached(self, link: Link) -> Tenant | None:
        """Do what `authorize` does where the tenant is at hand; None where it is not."""
        tenant = self._tenants.peek(link.tenant)
        return None if tenant is None else self._verify(link, tenant)

    def is_current(self, request: ImageRequest) -> bool:
        """Tell whether an request of a link without end would be given again: its tenant is who it was then."""
        return self._tenants.peek(request.tenant.name) is request.tenant

    def _verify(self, link: Link, tenant: Tenant | None) -> Tenant:
        keys = tenant.keys if tenant else (NO_KEY,)
        sealed = _sealed(keys, link.sealed_text, link.seal or "") or _needs_no_seal(tenant, link)
        expired = link.expires is not None and self._clock() >= link.expires
        if tenant is None or not sealed or expired:
            raise Forbidden
        return tenant

    async def resolve(self, tenant: Tenant, link: Link) -> Digest:
        """Find out which original a link means that refers to a source; what its recipe asks wrongly is told first."""
        apply_presets(_parse(link.recipe), tenant.presets, tenant.watermarks)
        return await self._references.resolve(tenant, link.original)

    def build(
        self, tenant: Tenant, link: Link, negotiation: NegotiationHeaders, resolved: Digest | None = None
    ) -> ImageRequest:
        """Read the recipe (RecipeError), apply the tenant's rules, and name what is to be delivered.

        `resolved` is the original of a link that refers to a source.
        """
        said = _parse(link.recipe)
        recipe = apply_presets(said, tenant.presets, tenant.watermarks)
        if tenant.hints and negotiation.hints:
            recipe = apply_hints(recipe, read_hints(negotiation.hints), tenant.limits.output_side)
        original = link.digest or resolved
        if original is None:
            raise Forbidden
        client = client_class(negotiation.accept) if recipe.format == "auto" else None
        variant = VariantKey(
            renderer_version=self._renderer_version,
            recipe=link.recipe if recipe is said else str(recipe),
            client=client,
            rendering=_rendering(tenant, client),
            watermark=tenant.watermarks[recipe.watermark.content].original if recipe.watermark else "",
            cache_epoch=tenant.cache_epoch,
        )
        key, tag = _names(tenant.name, original, variant)
        lifetime_s = None if link.expires is None else link.expires - int(self._clock())
        fresh_s = NAMED_S if said.preset or recipe.watermark else None
        if link.digest is None:
            fresh_s = min(fresh_s or tenant.reference_ttl_s, tenant.reference_ttl_s)
        reference = "" if link.digest else link.original
        return ImageRequest(tenant, original, recipe, variant.client, key, tag, lifetime_s, fresh_s, reference)


def _rendering(tenant: Tenant, client: Client | None) -> str:
    """Name what a tenant decides about its pictures' bytes: where `auto` may be AVIF, up to what size it is."""
    if client != "avif":
        return str(tenant.rendering)
    return f"{tenant.rendering} avif {tenant.limits.avif_pixels} {tenant.limits.avif_side}"


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
def _names(tenant: TenantName, original: Digest, variant: VariantKey) -> tuple[DerivativeKey, str]:
    return derivative_key(tenant, original, variant), etag(original, variant)
