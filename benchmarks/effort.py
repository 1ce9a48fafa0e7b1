"""Effort: the time and bytes of each step of an encoder's effort scale, at common sizes.

One thread and the default quality; the fastest of several runs, because noise only adds time. Time and bytes are
ratios to the effort that Darkroom chooses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pyvips

from proxy.core.media.formats import FORMATS, JXL
from proxy.core.planning.encoding import choose_encoding
from proxy.core.recipe.recipe import Recipe
from proxy.pixels import extras
from proxy.pixels.encode import PALETTE_EFFORT
from proxy.pixels.extras import jxl

_WIDTHS = (200, 320, 640, 1_280, 2_560)
_RUNS = 3

Save = Callable[[Any, int, int | None], bytes]
"""Encode a picture at an effort and a quality."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to encode pictures: a recipe, the efforts to compare, and the encoder."""

    name: str
    recipe: Recipe
    efforts: tuple[int, ...]
    save: Save
    effort: int | None = None
    """The effort that is chosen at every size; None if the choice depends on the size."""


def _webp_lossless(image: Any, effort: int, _: int | None) -> bytes:  # noqa: ANN401 - pyvips
    return image.webpsave_buffer(lossless=True, Q=75 if effort else 20, effort=effort)  # type: ignore[no-any-return]


def _jxl(image: Any, effort: int, quality: int | None) -> bytes:  # noqa: ANN401 - as above
    return jxl.encode(image, quality, effort)


_WAYS = (
    Way(
        "avif",
        Recipe(format="avif"),
        (0, 1, 2, 3, 4),
        lambda image, effort, quality: image.heifsave_buffer(compression="av1", Q=quality, effort=effort, bitdepth=8),
    ),
    Way(
        "webp",
        Recipe(format="webp"),
        (0, 2, 4, 6),
        lambda image, effort, quality: image.webpsave_buffer(Q=quality, effort=effort),
    ),
    Way("webp, lossless", Recipe(format="webp", lossless=True), (0, 2, 4), _webp_lossless),
    Way("jxl", Recipe(format="jxl"), (1, 3, 5, 7), _jxl),
    Way("jxl, lossless", Recipe(format="jxl", lossless=True), (1, 3, 5), _jxl),
    Way("png", Recipe(format="png"), (1, 6, 9), lambda image, effort, _: image.pngsave_buffer(compression=effort)),
    Way(
        "png, a palette",
        Recipe(format="png", quality=80),
        (1, 3, 7),
        lambda image, effort, quality: image.pngsave_buffer(palette=True, Q=quality, effort=effort),
        effort=PALETTE_EFFORT,
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One effort at one size."""

    format: str
    width: int
    height: int
    effort: int
    chosen: bool
    seconds: float
    body_bytes: int


def measure(originals: Sequence[bytes]) -> list[Step]:
    """Encode the first original in each way, at each size and effort."""
    extras.enable([JXL])
    steps = []
    for way in _WAYS:
        for width in _WIDTHS:
            image = pyvips.Image.thumbnail_buffer(originals[0], width).copy_memory()
            encoding = choose_encoding(FORMATS[str(way.recipe.format)], way.recipe, image.width * image.height)
            chosen = encoding.effort if way.effort is None else way.effort
            for effort in way.efforts:
                seconds, size = _encode(way.save, image, effort, encoding.quality)
                steps.append(Step(way.name, image.width, image.height, effort, effort == chosen, seconds, size))
    return steps


def _encode(save: Save, image: Any, effort: int, quality: int | None) -> tuple[float, int]:  # noqa: ANN401 - pyvips
    times, size = [], 0
    for _ in range(_RUNS):
        begun = perf_counter()
        size = len(save(image, effort, quality))
        times.append(perf_counter() - begun)
    return min(times), size
