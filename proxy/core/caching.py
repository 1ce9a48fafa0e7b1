"""Names and lifetimes for caches: the derivative's key, the ETag, conditional requests, Cache-Control.

All are functions of the URL, the client's class and the renderer's generation; a 304 needs neither storage nor pixels.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from proxy.core.identifiers import DerivativeKey, Generation, TenantName
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
class Shape:
    """All that shapes a derivative's bytes, beside the original's; never the seal."""

    generation: Generation
    recipe: str
    """Canonical, presets expanded, hints applied."""
    client: Client | None = None
    """Only where the recipe says `auto`."""
    manner: str = ""
    watermark: str = ""
    """The SHA-256 of the picture the recipe's watermark is now."""
    edition: int = 0
    """The tenant's: what was made in another one is not served any more."""

    def fingerprint(self, original: str) -> str:
        """Give 64 hex digits; what is not set leaves no trace, so that old keys stay."""
        manner = f"manner {self.manner}" if self.manner else ""
        edition = f"edition {self.edition}" if self.edition else ""
        rest = tuple(part for part in (manner, self.watermark, edition) if part)
        return sha256(
            "\n".join((self.generation, original, self.recipe, self.client or "", *rest)).encode()
        ).hexdigest()


def derivative_key(tenant: TenantName, original: str, shape: Shape) -> DerivativeKey:
    """Name a derivative."""
    return DerivativeKey(f"{tenant}/{original}/{shape.fingerprint(original)}")


def etag(original: str, shape: Shape) -> str:
    """Give the strong entity tag, with its quotes (RFC 9110 §8.8.3)."""
    return f'"{shape.fingerprint(original)[:32]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Tell whether If-None-Match lists `tag`, by weak comparison (RFC 9110 §13.1.2).

    `*` asks whether any representation exists, which the URL alone cannot tell: it does not match here.
    """
    return tag in if_none_match and any(part.strip().removeprefix("W/") == tag for part in if_none_match.split(","))


def refusal_cache_control(max_age_s: int | None) -> str:
    """Give a refusal's Cache-Control; None is never kept."""
    return "no-store" if max_age_s is None else f"public, max-age={max_age_s}"
