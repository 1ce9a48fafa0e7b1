"""Effort: what each step of an encoder's own scale costs and saves, at sizes that pages ask for.

One thread, the quality that is written where a recipe says nothing; the best of several runs, as others' noise only
ever adds. Time and bytes are ratios to the effort that Darkroom chooses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pyvips

from proxy.core.encoding import choose_encoding
from proxy.core.formats import FORMATS
from proxy.core.recipe import Recipe

_WIDTHS = (200, 320, 640, 1_280, 2_560)
_EFFORTS = {"avif": (0, 1, 2, 3, 4), "webp": (0, 2, 4, 6), "png": (1, 6, 9)}
_SAVERS: dict[str, Callable[[Any, int, int | None], bytes]] = {
    "avif": lambda image, effort, quality: image.heifsave_buffer(
        compression="av1", Q=quality, effort=effort, bitdepth=8
    ),
    "webp": lambda image, effort, quality: image.webpsave_buffer(Q=quality, effort=effort),
    "png": lambda image, effort, _: image.pngsave_buffer(compression=effort),
}
_RUNS = 3


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
    """Encode the first original at each size and effort."""
    steps = []
    for output, efforts in _EFFORTS.items():
        for width in _WIDTHS:
            image = pyvips.Image.thumbnail_buffer(originals[0], width).copy_memory()
            how = choose_encoding(FORMATS[output], Recipe(format=output), image.width * image.height)
            for effort in efforts:
                seconds, size = _encode(output, image, effort, how.quality)
                steps.append(Step(output, image.width, image.height, effort, effort == how.effort, seconds, size))
    return steps


def _encode(output: str, image: Any, effort: int, quality: int | None) -> tuple[float, int]:  # noqa: ANN401 - pyvips
    times, size = [], 0
    for _ in range(_RUNS):
        begun = perf_counter()
        size = len(_SAVERS[output](image, effort, quality))
        times.append(perf_counter() - begun)
    return min(times), size
