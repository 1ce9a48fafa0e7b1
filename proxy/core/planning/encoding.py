"""How a derivative is written: quality and effort by format and area."""

from proxy.core.errors import LimitExceeded
from proxy.core.media.formats import AVIF, GIF, JPEG, JXL, PNG, WEBP, Format
from proxy.core.planning.plan import Encoding
from proxy.core.recipe.recipe import Recipe

_QUALITY: dict[Format, int | None] = {JPEG: 80, WEBP: 80, AVIF: 55, JXL: 75, PNG: None, GIF: None}

_TARGETED = (JPEG, WEBP, AVIF, JXL)
"""Formats in which a target is looked for; the others have no loss, and reach any, unless a quality is named."""
_FITTED = (*_TARGETED, PNG)
"""Formats that a byte budget can be met in: PNG by a palette."""
_JXL_TARGETS = {"low": 50, "good": 75, "best": 92}
"""Its quality is a distance that eyes see, so nothing needs to be searched for."""

_AVIF_EFFORT = ((240_000, 3), (450_000, 2), (1_000_000, 1))
"""(up to this many pixels, effort): a fifth of a second on one core at most; beyond the last, effort 0."""
_JXL_EFFORT = 5
_JXL_LARGE = 500_000
"""Pixels from which JPEG XL is written with effort 3, six times faster."""
_JXL_LOSSLESS_LARGE = 4_000_000
"""Pixels from which JPEG XL without loss is written with effort 1."""
_PNG_COMPRESSION = 6
_GIF_EFFORT = 3
_WEBP_EFFORT = 4
_WEBP_LARGE = 4_000_000
"""Pixels, of all frames, from which WebP is written with effort 2."""
_WEBP_LOSSLESS_LARGE = 500_000
"""Pixels from which WebP without loss is written with effort 0: a seventh larger, and ten times faster."""


def choose_encoding(output: Format, recipe: Recipe, pixels: int, *, wide: bool = False) -> Encoding:
    """Choose the encoder's numbers for a derivative of `pixels` in all its frames; `wide` colours need a profile."""
    chosen = output in _QUALITY and not recipe.lossless
    target = recipe.target if output in _TARGETED else None
    quality = recipe.quality or _QUALITY.get(output)
    if output is JXL and target is not None:
        quality, target = _JXL_TARGETS[target], None
    return Encoding(
        output,
        quality if chosen else None,
        _effort(output, pixels, lossless=recipe.lossless),
        lossless=recipe.lossless,
        progressive=recipe.prog,
        keep=recipe.keep,
        profile=wide,
        target=target,
        budget_bytes=recipe.budget * 1_024 if recipe.budget else None,
    )


def check_searched(output: Format, recipe: Recipe) -> None:
    """Refuse a byte budget with a format that cannot be made smaller."""
    if recipe.budget and output not in _FITTED:
        raise LimitExceeded(f"A {output.name} cannot be made to fit a number of bytes: say webp, or another format.")


def _effort(output: Format, pixels: int, *, lossless: bool) -> int:
    if output is AVIF:
        return next((effort for up_to, effort in _AVIF_EFFORT if pixels <= up_to), 0)
    if output is WEBP:
        if lossless:
            return _WEBP_EFFORT if pixels <= _WEBP_LOSSLESS_LARGE else 0
        return _WEBP_EFFORT if pixels <= _WEBP_LARGE else 2
    if output is JXL:
        if lossless and pixels > _JXL_LOSSLESS_LARGE:
            return 1
        return _JXL_EFFORT if pixels <= _JXL_LARGE else 3
    return {PNG: _PNG_COMPRESSION, GIF: _GIF_EFFORT}.get(output, 0)
