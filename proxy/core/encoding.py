"""How a derivative is written: quality and effort by format and area."""

from proxy.core.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from proxy.core.plan import Encoding
from proxy.core.recipe import Recipe

_QUALITY: dict[Format, int | None] = {JPEG: 80, WEBP: 80, AVIF: 55, PNG: None, GIF: None}

_SEARCHED = (JPEG, WEBP, AVIF)
"""Formats whose quality can be searched for; the others are lossless unless a quality is named."""

_AVIF_EFFORT = ((60_000, 3), (250_000, 1))
"""(up to this many pixels, effort): the first request for a picture is never slow; beyond the last, effort 0."""
_PNG_COMPRESSION = 6
_GIF_EFFORT = 3
_WEBP_EFFORT = 4
_WEBP_LARGE = 4_000_000
"""Pixels, of all frames, from which WebP is written with effort 2."""


def choose_encoding(output: Format, recipe: Recipe, pixels: int) -> Encoding:
    """Choose the encoder's numbers for a derivative of `pixels` in all its frames."""
    chosen = output in _QUALITY and not recipe.lossless
    return Encoding(
        output,
        recipe.quality or _QUALITY[output] if chosen else None,
        _effort(output, pixels),
        lossless=recipe.lossless,
        progressive=recipe.prog,
        keep=recipe.keep,
        target=recipe.target if output in _SEARCHED else None,
        budget_bytes=recipe.budget * 1_024 if recipe.budget and output in _SEARCHED else None,
    )


def _effort(output: Format, pixels: int) -> int:
    if output is AVIF:
        return next((effort for up_to, effort in _AVIF_EFFORT if pixels <= up_to), 0)
    if output is WEBP:
        return _WEBP_EFFORT if pixels <= _WEBP_LARGE else 2
    return {PNG: _PNG_COMPRESSION, GIF: _GIF_EFFORT}.get(output, 0)
