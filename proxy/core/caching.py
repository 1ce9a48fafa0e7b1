"""Names and lifetimes for caches: the derivative's key, the ETag, conditional requests, Cache-Control.

All are functions of the URL, the client's class and the renderer's version; a 304 needs neither storage nor pixels.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from proxy.core.identifiers import DerivativeKey, Digest, KeyParts, RendererVersion, TenantName
from proxy.core.planning.negotiation import Client

DAY_S: Final = 86_400
YEAR_S: Final = 31_536_000
IMMUTABLE: Final = f"public, max-age={YEAR_S}, immutable"
"""For a URL that names content: it never changes its meaning."""


def cache_control(lifetime_s: int | None, fresh_s: int | None = None) -> str:
    """Give a picture's Cache-Control; a link that expires in `lifetime_s` is not kept beyond its end.

    `fresh_s` is for what is named and may change (presets, watermarks, referenced sources): it is asked for again after
    that time, and used on meanwhile or while we are out (RFC 5861). None is for what is named by its content.
    """
    if lifetime_s is not None:
        most = YEAR_S if fresh_s is None else fresh_s
        return f"public, max-age={max(0, min(lifetime_s, most))}" + ("" if fresh_s is not None else ", immutable")
    if fresh_s is not None:
        return f"public, max-age={fresh_s}, stale-while-revalidate={DAY_S}, stale-if-error={7 * DAY_S}"
    return IMMUTABLE


@dataclass(frozen=True, slots=True)
class VariantKey:
    """All that shapes a derivative's bytes, beside the original's; never the seal."""

    renderer_version: RendererVersion
    recipe: str
    """Canonical, presets expanded, hints applied."""
    client: Client | None = None
    """Only where the recipe says `auto`."""
    rendering: str = ""
    watermark: str = ""
    """The SHA-256 of the picture the recipe's watermark is now."""
    cache_epoch: int = 0
    """The tenant's: what was made in another one is not served any more."""

    def fingerprint(self, original: str) -> str:
        """Return 64 hex digits that cover all of it and the original.

        A field that is not set leaves no trace, so a new field does not rename what exists.
        """
        required = (self.renderer_version, original, self.recipe, self.client or "")
        optional = (("rendering", self.rendering), ("watermark", self.watermark), ("epoch", self.cache_epoch))
        labelled = (f"{name} {value}" for name, value in optional if value)
        return sha256("\n".join((*required, *labelled)).encode()).hexdigest()


def derivative_key(tenant: TenantName, original: Digest, variant: VariantKey) -> DerivativeKey:
    """Return the name of a derivative."""
    parts = KeyParts(variant.renderer_version, tenant, variant.cache_epoch, original, variant.fingerprint(original))
    return DerivativeKey(str(parts))


def etag(original: str, variant: VariantKey) -> str:
    """Return the strong entity tag, with its quotes (RFC 9110 §8.8.3)."""
    return f'"{variant.fingerprint(original)[:32]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Tell whether If-None-Match lists `tag`, by weak comparison (RFC 9110 §13.1.2).

    `*` asks whether any representation exists, which the URL alone cannot tell: it does not match here.
    """
    return tag in if_none_match and any(part.strip().removeprefix("W/") == tag for part in if_none_match.split(","))


def error_cache_control(max_age_s: int | None) -> str:
    """Give a refusal's Cache-Control; None is never kept."""
    return "no-store" if max_age_s is None else f"public, max-age={max_age_s}"
