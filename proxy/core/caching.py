"""Names and lifetimes for caches: the derivative's key, the ETag, conditional requests, Cache-Control.

All are functions of the URL, the client's class and the renderer's generation; a 304 needs neither storage nor pixels.
"""

from hashlib import sha256
from typing import Final

from proxy.core.names import DerivativeKey, Generation, TenantName
from proxy.core.negotiation import Client

YEAR_S: Final = 31_536_000
IMMUTABLE: Final = f"public, max-age={YEAR_S}, immutable"
"""For a URL that names content: it never changes its meaning."""


def cache_control(lifetime_s: int | None) -> str:
    """Give the Cache-Control of a picture that is named by content; a link that expires is not kept beyond its end."""
    return IMMUTABLE if lifetime_s is None else f"public, max-age={max(0, min(lifetime_s, YEAR_S))}, immutable"


def derivative_key(
    generation: Generation, tenant: TenantName, original: str, recipe: str, client: Client | None
) -> DerivativeKey:
    """Name a derivative by all that shapes its bytes; never by the seal. `client` only where the recipe says `auto`."""
    return DerivativeKey(f"{tenant}/{original}/{_fingerprint(generation, original, recipe, client).hex()}")


def etag(generation: Generation, original: str, recipe: str, client: Client | None) -> str:
    """Give the strong entity tag, with its quotes (RFC 9110 §8.8.3)."""
    return f'"{_fingerprint(generation, original, recipe, client).hex()[:32]}"'


def _fingerprint(generation: Generation, original: str, recipe: str, client: Client | None) -> bytes:
    return sha256("\n".join((generation, original, recipe, client or "")).encode()).digest()


def matches(if_none_match: str, tag: str) -> bool:
    """Tell whether If-None-Match lists `tag`, by weak comparison (RFC 9110 §13.1.2).

    `*` asks whether any representation exists, which the URL alone cannot tell: it does not match here.
    """
    return tag in if_none_match and any(part.strip().removeprefix("W/") == tag for part in if_none_match.split(","))


def refusal_cache_control(max_age_s: int | None) -> str:
    """Give a refusal's Cache-Control; None is never kept."""
    return "no-store" if max_age_s is None else f"public, max-age={max_age_s}"
