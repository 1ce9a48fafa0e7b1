"""The optimised version of an image: full size, upright, as good as `qgood` promises, in the fewest bytes.

Theory. How well a format does depends on the picture, so all that may win are rendered and the smallest is kept:

    qgood-webp      every image
    qgood-avif      stills
    lossless-webp   PNG and GIF of up to LOSSLESS_PIXELS: drawings and screenshots, whose edges lossy formats blur

On 31 images of a corpus, AVIF had 0.8 of WebP's bytes on average. More programs read WebP than AVIF, so AVIF has to
save a tenth, as it did for 25 of them. JPEG was smaller than both for two, whose transparency it lost. Where nothing is
smaller than the original, the original is its own optimised version. Vectors and documents have none: pixels are not a
smaller version of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proxy.core.media.formats import GIF, PAGED, PNG, VECTORS, WEBP

QGOOD_WEBP: Final = "qgood-webp"
QGOOD_AVIF: Final = "qgood-avif"
LOSSLESS_WEBP: Final = "lossless-webp"
LOSSLESS_PIXELS: Final = 4_000_000
"""Area of all frames; beyond it lossless WebP takes seconds."""
AVIF_SHARE: Final = 0.9
"""AVIF is kept if it has at most this share of WebP's bytes."""
_VECTORS: Final = frozenset(kind.media_type for kind in VECTORS)
_PAGED: Final = frozenset(kind.media_type for kind in PAGED)
_DRAWN: Final = frozenset({PNG.media_type, GIF.media_type})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to store the picture; `recipe` is None for the original itself."""

    recipe: str | None
    media_type: str
    size_bytes: int


def candidate_recipes(media_type: str, frames: int, pixels: int) -> tuple[str, ...]:
    """Return the recipes that may be the best for an original; `pixels` of one frame."""
    if media_type in _VECTORS:
        return ()
    recipes = [QGOOD_WEBP]
    if frames == 1 or media_type in _PAGED:
        recipes.append(QGOOD_AVIF)
    if media_type in _DRAWN and pixels * frames <= LOSSLESS_PIXELS:
        recipes.append(LOSSLESS_WEBP)
    return tuple(recipes)


def choose(original: Candidate, rendered: Sequence[Candidate]) -> Candidate:
    """Return the best of at least one rendered candidate, or the original if none is smaller."""
    best = min(rendered, key=_weight)
    return best if best.size_bytes < original.size_bytes else original


def _weight(candidate: Candidate) -> float:
    return candidate.size_bytes * (AVIF_SHARE if candidate.media_type == WEBP.media_type else 1.0)
