"""Encoder parameters of a derivative: quality and effort by format and area."""

from proxy.core.errors import LimitExceeded
from proxy.core.media.formats import AVIF, GIF, JPEG, JXL, PNG, WEBP, Format
from proxy.core.planning.plan import Encoding
from proxy.core.recipe.recipe import Recipe

_QUALITY: dict[Format, int | None] = {JPEG: 80, WEBP: 80, AVIF: 55, JXL: 75, PNG: None, GIF: None}

_TARGETED = (JPEG, WEBP, AVIF, JXL)
"""Formats in which the quality for a target is searched; the others are lossless, or have an explicit quality."""
_FITTED = (*_TARGETED, PNG)
"""Formats that support a byte budget: PNG by means of a palette."""
_JXL_TARGETS = {"low": 50, "good": 75, "best": 92}
"""Qualities of the targets: the scale of JPEG XL is perceptual, so no search is required."""

_AVIF_EFFORT = ((240_000, 3), (450_000, 2), (1_000_000, 1))
"""(largest area in pixels, effort), for at most 0.2 s on one core; larger pictures have effort 0."""
_JXL_EFFORT = 5
_JXL_LARGE = 500_000
"""Area beyond which JPEG XL is written with effort 3, which is six times faster."""
_JXL_LOSSLESS_LARGE = 4_000_000
"""Area beyond which lossless JPEG XL is written with effort 1."""
_PNG_COMPRESSION = 6
_GIF_EFFORT = 3
_WEBP_EFFORT = 4
_WEBP_LARGE = 4_000_000
"""Area of all frames beyond which WebP is written with effort 2."""
_WEBP_LOSSLESS_LARGE = 500_000
"""Area beyond which lossless WebP is written with effort 0: the file is 1/7 larger, the encoder ten times faster."""


def choose_encoding(output: Format, recipe: Recipe, pixels: int, *, wide: bool = False) -> Encoding:
    """Return the encoder parameters of a derivative with `pixels` in all frames; `wide` colours require a profile."""
    lossy = output in _QUALITY and not recipe.lossless
    target = recipe.target if output in _TARGETED else None
    quality = recipe.quality or _QUALITY.get(output)
    if output is JXL and target is not None:
        quality, target = _JXL_TARGETS[target], None
    return Encoding(
        output,
        quality if lossy else None,
        _effort(output, pixels, lossless=recipe.lossless),
        lossless=recipe.lossless,
        progressive=recipe.prog,
        keep=recipe.keep,
        profile=wide,
        target=target,
        budget_bytes=recipe.budget * 1_024 if recipe.budget else None,
    )


def check_budget(output: Format, recipe: Recipe) -> None:
    """Raise LimitExceeded for a byte budget if the format does not support it."""
    if recipe.budget and output not in _FITTED:
        raise LimitExceeded(f"Format {output.name} does not support a byte budget. Use webp, or another lossy format.")


def _effort(output: Format, pixels: int, *, lossless: bool) -> int:
    if output is AVIF:
        return next((effort for largest, effort in _AVIF_EFFORT if pixels <= largest), 0)
    if output is WEBP:
        if lossless:
            return _WEBP_EFFORT if pixels <= _WEBP_LOSSLESS_LARGE else 0
        return _WEBP_EFFORT if pixels <= _WEBP_LARGE else 2
    if output is JXL:
        if lossless and pixels > _JXL_LOSSLESS_LARGE:
            return 1
        return _JXL_EFFORT if pixels <= _JXL_LARGE else 3
    return {PNG: _PNG_COMPRESSION, GIF: _GIF_EFFORT}.get(output, 0)
