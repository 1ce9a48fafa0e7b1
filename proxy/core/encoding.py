"""How a derivative is written: quality and effort by format and area."""

from proxy.core.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from proxy.core.plan import Encoding

_QUALITY: dict[Format, int | None] = {JPEG: 80, WEBP: 80, AVIF: 55, PNG: None, GIF: None}

_AVIF_EFFORT = ((60_000, 3), (250_000, 1))
"""(up to this many pixels, effort): the first request for a picture is never slow; beyond the last, effort 0."""
_PNG_COMPRESSION = 6
_GIF_EFFORT = 3
_WEBP_EFFORT = 4
_WEBP_LARGE = 4_000_000
"""Pixels, of all frames, from which WebP is written with effort 2."""


def choose_encoding(output: Format, quality: int | None, pixels: int) -> Encoding:
    """Choose the encoder's numbers for a derivative of `pixels` in all its frames; `quality` is the recipe's, 1…100."""
    return Encoding(output, _QUALITY[output] if quality is None else quality, _effort(output, pixels))


def _effort(output: Format, pixels: int) -> int:
    if output is AVIF:
        return next((effort for up_to, effort in _AVIF_EFFORT if pixels <= up_to), 0)
    if output is WEBP:
        return _WEBP_EFFORT if pixels <= _WEBP_LARGE else 2
    return {PNG: _PNG_COMPRESSION, GIF: _GIF_EFFORT}.get(output, 0)
