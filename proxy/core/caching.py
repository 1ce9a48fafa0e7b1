"""Names and lifetimes for caches: derivative keys, entity tags, conditional requests and Cache-Control.

All of them are functions of the URL, the client class and the renderer version, so a 304 requires no storage access
and no rendering.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from proxy.core.identifiers import DerivativeKey, Digest, KeyParts, RendererVersion, TenantName
from proxy.core.planning.negotiation import Client

DAY_S: Final = 86_400
YEAR_S: Final = 31_536_000
IMMUTABLE: Final = f"public, max-age={YEAR_S}, immutable"
"""For a URL that names an original by its content: the response never changes."""


def cache_control(lifetime_s: int | None, fresh_s: int | None = None) -> str:
    """Return the Cache-Control value of a picture.

    `lifetime_s` is the remaining lifetime of an expiring link, which no cache may exceed; None for other links.
    `fresh_s` is the time after which a response that may change (presets, watermarks, referenced sources) is
    revalidated; a stale response may be used meanwhile and on errors (RFC 5861). None is for content-addressed URLs.
    """
    if lifetime_s is not None:
        max_age_s = max(0, min(lifetime_s, YEAR_S if fresh_s is None else fresh_s))
        return f"public, max-age={max_age_s}" + ("" if fresh_s is not None else ", immutable")
    if fresh_s is not None:
        return f"public, max-age={fresh_s}, stale-while-revalidate={DAY_S}, stale-if-error={7 * DAY_S}"
    return IMMUTABLE


@dataclass(frozen=True, slots=True)
class VariantKey:
    """Everything except the original that determines the bytes of a derivative. The seal is never part of it."""

    renderer_version: RendererVersion
    recipe: str
    """The canonical recipe, with presets expanded and client hints applied."""
    client: Client | None = None
    """The client class; set only for `auto`."""
    rendering: str = ""
    """The tenant's rendering options; empty for the defaults."""
    watermark: str = ""
    """The SHA-256 of the watermark's current picture."""
    cache_epoch: int = 0
    """The tenant's cache epoch: derivatives of earlier epochs are not served any more."""

    def fingerprint(self, original: str) -> str:
        """Return 64 hex digits that identify this variant of `original`.

        A field with its default value does not contribute, so that a new field does not change existing keys.
        """
        required = (self.renderer_version, original, self.recipe, self.client or "")
        optional = (("rendering", self.rendering), ("watermark", self.watermark), ("epoch", self.cache_epoch))
        labelled = (f"{name} {value}" for name, value in optional if value)
        return sha256("\n".join((*required, *labelled)).encode()).hexdigest()


def derivative_key(tenant: TenantName, original: Digest, variant: VariantKey) -> DerivativeKey:
    """Return the key of a derivative."""
    parts = KeyParts(variant.renderer_version, tenant, variant.cache_epoch, original, variant.fingerprint(original))
    return DerivativeKey(str(parts))


def etag(original: str, variant: VariantKey) -> str:
    """Return the strong entity tag of a variant, including its quotes (RFC 9110 §8.8.3)."""
    return f'"{variant.fingerprint(original)[:32]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Return whether If-None-Match lists `tag`, by weak comparison (RFC 9110 §13.1.2).

    `*` does not match: whether a representation exists cannot be determined from the URL.
    """
    return tag in if_none_match and any(part.strip().removeprefix("W/") == tag for part in if_none_match.split(","))


def error_cache_control(max_age_s: int | None) -> str:
    """Return the Cache-Control value of an error response; None means that it must not be stored."""
    return "no-store" if max_age_s is None else f"public, max-age={max_age_s}"
