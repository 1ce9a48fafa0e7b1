"""Quality that is searched for: the best within a byte budget, or the least that looks as it should.

Theory. How a picture looks at a quality depends on the picture: fog hides what a face shows. So the picture is written,
read again and compared, by the structural similarity (SSIM) of its lightness, which is what the eye judges sharpness
by. An encoder's own scale rises steadily with it, so a bisection finds the quality in a few steps. SSIM is pooled so
that the worst tenth counts as much as all the rest, as people look at the worst. What `low`, `good` and `best` mean was
set by measuring SSIMULACRA2 over photographs: about 55, 70 and 85.
"""

from collections.abc import Callable

import pyvips

from proxy.core.errors import OverLimit
from proxy.core.formats import AVIF, JPEG, WEBP, Format
from proxy.core.plan import Encoding

_HIGHEST = 96
_SAMPLE_PIXELS = 400_000
"""A larger picture is judged by a part of this size from its middle: the search takes no longer than that."""
_WINDOW_SIGMA = 1.5
_C1, _C2 = (0.01 * 100) ** 2, (0.03 * 100) ** 2
"""SSIM's constants, for a lightness of 0…100."""

_TARGETS: dict[Format, dict[str, float]] = {
    JPEG: {"low": 0.160, "good": 0.107, "best": 0.043},
    WEBP: {"low": 0.148, "good": 0.081, "best": 0.025},
    AVIF: {"low": 0.164, "good": 0.100, "best": 0.027},
}
"""The most that may differ: 1 − SSIM, pooled. Medians over photographs at SSIMULACRA2 55, 70 and 85."""

Write = Callable[[pyvips.Image, int], bytes]


def fit_budget(image: pyvips.Image, write: Write, budget_bytes: int) -> bytes:
    """Give the picture at the highest quality whose body fits; OverLimit tells the smallest there is.

    A large picture's quality is looked for on its middle, with that share of the budget, and lowered until all of it
    fits: the last few steps of quality may be left unused.
    """
    sample = _sample(image)
    share = sample.width * sample.height / (image.width * image.height)
    quality = _highest(lambda one: len(write(sample, one)) <= budget_bytes * share)
    body = write(image, quality)
    while len(body) > budget_bytes and quality > 1:
        over = len(body) / budget_bytes - 1
        quality = max(1, quality - max(1, int(over * quality / 2)))
        body = write(image, quality)
    if len(body) > budget_bytes:
        raise OverLimit(
            f"The picture has {len(body)} bytes at the lowest quality; the budget is {budget_bytes}: say a smaller w."
        )
    return body


def hit_target(image: pyvips.Image, write: Write, how: Encoding) -> bytes:
    """Give the picture at the lowest quality that looks as `how.target` says; a large one is judged by its middle."""
    most = _TARGETS[how.format][str(how.target)]
    sample = _sample(image)
    reference = _lightness(sample)

    def looks_worse(quality: int) -> bool:
        shown = _lightness(pyvips.Image.new_from_buffer(write(sample, quality), ""))
        return difference(reference, shown) > most

    return write(image, min(_HIGHEST, _highest(looks_worse) + 1))


def _highest(holds: Callable[[int], bool]) -> int:
    """Give the highest quality for which something holds that holds below a point; the lowest where it never does."""
    low, high = 1, _HIGHEST
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def difference(ours: pyvips.Image, theirs: pyvips.Image) -> float:
    """Give 1 − SSIM of two lightness images, the mean of the mean and of the worst tenth."""
    mean_ours, mean_theirs = _blurred(ours), _blurred(theirs)
    product = mean_ours * mean_theirs
    squares = mean_ours * mean_ours + mean_theirs * mean_theirs
    covariance = _blurred(ours * theirs) - product
    variances = _blurred(ours * ours + theirs * theirs) - squares
    similar = ((product * 2 + _C1) * (covariance * 2 + _C2)) / ((squares + _C1) * (variances + _C2))
    apart = similar.linear(-1, 1)
    worst = apart.linear(1_000, 0).cast("ushort").percent(90) / 1_000
    return float(apart.avg() + worst) / 2


def _blurred(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(_WINDOW_SIGMA, precision="approximate")


def _lightness(image: pyvips.Image) -> pyvips.Image:
    """Give CIE L*, 0…100, of what is seen over white."""
    image = image.colourspace("srgb")
    image = image.flatten(background=255) if image.hasalpha() else image
    return image.colourspace("lab").extract_band(0).copy_memory()


def _sample(image: pyvips.Image) -> pyvips.Image:
    """Give the middle of a large picture, of an animation the middle of the first frame, in memory."""
    height = image.get("page-height") if image.get_typeof("page-height") else image.height
    ratio = min(1.0, (_SAMPLE_PIXELS / (image.width * height)) ** 0.5)
    wide, high = max(1, int(image.width * ratio)), max(1, int(height * ratio))
    sample = image.crop((image.width - wide) // 2, (height - high) // 2, wide, high).copy_memory()
    sample.remove("page-height")
    return sample
