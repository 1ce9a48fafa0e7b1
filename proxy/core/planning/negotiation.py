"""Content negotiation of the format `auto`; other formats are not negotiated.

Theory. Clients are divided into three classes, so that caches store at most three bodies per `auto` URL. The class is
the best format that the client lists by name in `Accept` (RFC 9110 §12.5.1): `avif`, `webp`, or `base` for neither.
Wildcards are ignored, because clients that support neither format send `*/*`. A client that supports AVIF is assumed
to support WebP as well, which is true for all browsers.
"""

from typing import Literal

from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, FORMATS, GIF, JPEG, PNG, WEBP, Format

Client = Literal["avif", "webp", "base"]
_MAX_ACCEPT = 1_000
"""Characters of `Accept` that are examined."""


def client_class(accept: str) -> Client:
    """Return the class of a client from its Accept header: the higher quality wins, AVIF if both are equal."""
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
    """Return the value of the parameter `q`: 1 if it is absent, 0 if it is invalid or not between 0 and 1."""
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
    requested: str | None, facts: Facts, client: Client, *, animated: bool, within_avif_budget: bool
) -> Format:
    """Return the format of a derivative. `requested` is a name, `auto`, or None for the format of the original."""
    if requested is None:
        own = FORMATS[facts.format.becomes or facts.format.name]
        return PNG if facts.alpha and not own.alpha else own
    if requested != "auto":
        return WEBP if requested == "lqip" else FORMATS[requested]
    if client == "avif" and not animated and within_avif_budget:
        return AVIF
    if client in ("avif", "webp"):
        return WEBP
    if animated:
        return GIF
    return PNG if facts.alpha else JPEG
