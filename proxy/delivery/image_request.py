"""Image requests: from a link to what is to be delivered, without reading anything from storage.

    authorize   who signed: tenant, seal, expiry
    resolve     which original, where the link refers to a source
    build       which derivative: recipe, client class, key, ETag

A tenant that is cached may lack what the link was made with: a new key, preset or watermark. So before a request is
refused for that, the tenant is read again, once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from time import time
from typing import NamedTuple

from proxy.core.caching import VariantKey, derivative_key, etag
from proxy.core.errors import Forbidden, NotFound, OriginalWithdrawn, RecipeError
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName
from proxy.core.planning.negotiation import Client, client_class
from proxy.core.recipe import grammar
from proxy.core.recipe.client_hints import apply_hints, read_hints
from proxy.core.recipe.presets import apply_presets, is_unsigned
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link
from proxy.core.url.signing import NO_KEY, verify
from proxy.delivery.source_resolver import SourceResolver
from proxy.ports import CachedTenants, KnownRefusals

NAMED_S = 3_600
"""Freshness of an answer that depends on a preset or a watermark, in seconds."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An authorized link: what is to be delivered, and under which names."""

    tenant: Tenant
    original: Digest
    recipe: Recipe
    """Presets expanded and client hints applied."""
    client: Client | None
    """The client's class; None unless the recipe's format is `auto`."""
    key: DerivativeKey
    etag: str
    lifetime_s: int | None
    """Seconds until the link expires; None if it does not expire."""
    fresh_s: int | None
    """Seconds for which the names in the link (a preset, a watermark, a source) are taken to mean the same; None if
    there are none."""
    reference: str = ""
    """The source reference that `original` was resolved from, if any."""
    signed: bool = True
    """False for an unsigned preset."""
    generation: int = 0
    """Generation of the refusals under which the original was delivered."""


class NegotiationHeaders(NamedTuple):
    """The request headers that affect the answer: Accept, and `proxy.core.recipe.client_hints.FIELDS`.

    A tuple, because each cache hit makes and hashes one, and a dataclass costs a microsecond more.
    """

    accept: str = ""
    hints: tuple[tuple[str, str], ...] = ()


class RequestBuilder:
    """Builds image requests for derivatives of one `renderer_version`. `clock` returns Unix seconds."""

    def __init__(
        self,
        tenants: CachedTenants,
        references: SourceResolver,
        refusals: KnownRefusals,
        renderer_version: RendererVersion,
        clock: Callable[[], float] = time,
    ) -> None:
        self._tenants = tenants
        self._references = references
        self._refusals = refusals
        self._renderer_version = renderer_version
        self._clock = clock

    async def authorize(self, link: Link) -> Tenant:
        """Return the link's tenant. Raise Forbidden if the tenant is unknown, or the seal is wrong or has expired.

        Where the cached tenant does not explain the seal, the preset or the watermark, it is refreshed first.
        """
        tenant = await self._tenants.find(link.tenant)
        if not _verify(tenant, link) or _lacks_a_name(tenant, link):
            tenant = await self._tenants.refresh(link.tenant)
        if tenant is None or not _verify(tenant, link) or self._has_expired(link):
            raise Forbidden
        return tenant

    async def trust(self, link: Link) -> Tenant:
        """Return the tenant of a link that this process has made. Raise NotFound if the tenant is unknown."""
        tenant = await self._tenants.find(link.tenant)
        if _lacks_a_name(tenant, link):
            tenant = await self._tenants.refresh(link.tenant)
        if tenant is None:
            raise NotFound(f"There is no tenant {link.tenant}.")
        return tenant

    def authorize_cached(self, link: Link) -> Tenant | None:
        """Return the link's tenant without waiting; None if `authorize` has to decide."""
        tenant = self._tenants.peek(link.tenant)
        if tenant is None or not _verify(tenant, link) or _lacks_a_name(tenant, link) or self._has_expired(link):
            return None
        return tenant

    def is_current(self, request: ImageRequest) -> bool:
        """Report whether a link without expiry would make the same request again.

        That is so as long as neither its tenant nor what is refused has changed.
        """
        if request.generation != self._refusals.generation:
            return False
        return self._tenants.peek(request.tenant.name) is request.tenant

    def check_refusal(self, tenant: TenantName, original: Digest) -> None:
        """Raise OriginalWithdrawn if the original is not to be delivered, Unavailable before that is known.

        Only the original that a link shows is checked: a watermark is a record of its own, and goes on to be laid over
        pictures though the image with its bytes is in the trash.
        """
        if self._refusals.is_refused(tenant, original):
            raise OriginalWithdrawn("The image is in the trash, or was deleted. Restore it, or upload it again.")

    def _has_expired(self, link: Link) -> bool:
        return link.expires is not None and self._clock() >= link.expires

    async def resolve(self, tenant: Tenant, link: Link) -> Digest:
        """Return the original that a link's source reference means. Raise RecipeError first if the recipe is wrong."""
        apply_presets(_parse(link.recipe), tenant.presets, tenant.watermarks)
        return await self._references.resolve(tenant, link.original)

    def build(
        self, tenant: Tenant, link: Link, negotiation: NegotiationHeaders, resolved: Digest | None = None
    ) -> ImageRequest:
        """Parse the recipe (RecipeError), apply the tenant's rules, check for a refusal, and name the derivative.

        `resolved` is the original of a link that refers to a source. Every request passes here, before a 304 and before
        any cache, so this is the one place that keeps a withdrawn image from being seen. Raise OriginalWithdrawn.
        """
        written = _parse(link.recipe)
        recipe = apply_presets(written, tenant.presets, tenant.watermarks)
        if tenant.hints and negotiation.hints:
            recipe = apply_hints(recipe, read_hints(negotiation.hints), tenant.limits.output_side)
        original = link.digest or resolved
        if original is None:
            raise ValueError("A reference has to be resolved before a request is built.")
        generation = self._refusals.generation
        self.check_refusal(tenant.name, original)
        client = client_class(negotiation.accept) if recipe.format == "auto" else None
        variant = VariantKey(
            renderer_version=self._renderer_version,
            recipe=link.recipe if recipe is written else str(recipe),
            client=client,
            rendering=_rendering(tenant, client),
            watermark=tenant.watermarks[recipe.watermark.content].original if recipe.watermark else "",
            cache_epoch=tenant.cache_epoch,
        )
        key, tag = _names(tenant.name, original, variant)
        fresh_s = NAMED_S if written.preset or recipe.watermark else None
        if link.digest is None:
            fresh_s = min(fresh_s or tenant.reference_ttl_s, tenant.reference_ttl_s)
        return ImageRequest(
            tenant=tenant,
            original=original,
            recipe=recipe,
            client=client,
            key=key,
            etag=tag,
            lifetime_s=None if link.expires is None else link.expires - int(self._clock()),
            fresh_s=fresh_s,
            reference="" if link.digest else link.original,
            signed=link.seal is not None,
            generation=generation,
        )


def _rendering(tenant: Tenant, client: Client | None) -> str:
    """Return the tenant's settings that affect a derivative's bytes, with the AVIF limits where `auto` may be AVIF."""
    if client != "avif":
        return str(tenant.rendering)
    return f"{tenant.rendering} avif {tenant.limits.avif_pixels} {tenant.limits.avif_side}"


def _verify(tenant: Tenant | None, link: Link) -> bool:
    """Report whether the link's seal holds or is not needed. An unknown tenant costs the same work as a wrong seal.

    Nothing of a link is cached before this holds: anybody can make up links.
    """
    keys = tenant.keys if tenant else (NO_KEY,)
    return (verify(keys, link.sealed_text, link.seal or "") and tenant is not None) or _needs_no_seal(tenant, link)


def _needs_no_seal(tenant: Tenant | None, link: Link) -> bool:
    """Report whether the link is an unsigned preset of the tenant, in a size of its ladder.

    It has to name an original by its content, and must not expire.

    A source's addresses can be guessed, which a digest cannot, so references always need a seal.
    """
    if tenant is None or link.digest is None or link.seal is not None or link.expires is not None:
        return False
    return is_unsigned(link.recipe, tenant.unsigned)


def _lacks_a_name(tenant: Tenant | None, link: Link) -> bool:
    """Report whether the recipe names a preset or a watermark that the tenant does not have."""
    try:
        written = _parse(link.recipe)
    except RecipeError:
        return False
    if tenant is None or (written.preset is None and written.watermark is None):
        return False
    try:
        apply_presets(written, tenant.presets, tenant.watermarks)
    except RecipeError:
        return True
    return False


@lru_cache(maxsize=4_096)
def _parse(text: str) -> Recipe:
    return grammar.parse(text)


@lru_cache(maxsize=4_096)
def _names(tenant: TenantName, original: Digest, variant: VariantKey) -> tuple[DerivativeKey, str]:
    return derivative_key(tenant, original, variant), etag(original, variant)
