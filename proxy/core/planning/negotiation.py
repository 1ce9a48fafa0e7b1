"""Content negotiation for `auto`, and for nothing else.

Theory. A client is one of three classes, so that a cache holds at most three bodies per `auto` URL: `avif` and `webp`
name the best
format it lists by name in `Accept` (RFC 9110 §12.5.1), `base` is the rest. Wildcards don't count: `*/*` is sent by
clients that read neither. A client that reads AVIF
is taken to read WebP as well; every browser that has the one has the other.
"""

from typing import Literal

from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, FORMATS, GIF, JPEG, PNG, WEBP, Format

Client = Literal["avif", "webp", "base"]
_MAX_ACCEPT = 1_000


def client_class(accept: str) -> Client:
    """Tell the class from an Accept header; the higher quality wins, AVIF at a draw."""
    accept = accept.lower()
    if "image/avif" not in accept and "image/webp" not in accept:
        return "base"
    qualities = {"image/avif": 0.0, "image/webp": 0.0}
    for part in accept[:_MAX_ACCEPT].split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type in qualities:
            qualities[media_type] = max(qualities[media_type], _quality(parameters))
    avif, webp = qualities["image/avif"], qualities["image/webp"]
    if avif and avif >= webp:
        return "avif"
    return "webp" if webp else "base"


def _quality(parameters: list[str]) -> float:
    """Read `q`: absent is 1, unreadable or out of 0…1 is 0."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0


def choose_format(
    asked: str | None, facts: Facts, client: Client, *, animated: bool, within_avif_budget: bool
) -> Format:
    """Give the derivative's format for what the recipe asked: a name, None for the original's own, or `auto`."""
    if asked is None:
        own = FORMATS[facts.format.becomes or facts.format.name]
        return PNG if facts.alpha and facts.format.becomes and not own.alpha else own
    if asked != "auto":
        return WEBP if asked == "lqip" else FORMATS[asked]
    if client == "avif" and not animated and within_avif_budget:
        return AVIF
    if client in ("avif", "webp"):
        return WEBP
    if animated:
        return GIF
    return PNG if facts.alpha else JPEG
