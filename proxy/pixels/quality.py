"""Search for a quality: the best one within a byte budget, or the lowest one that scores as required.

Theory. How a picture looks at a quality depends on the picture: fog hides what a face shows. So the picture is encoded,
decoded and scored. An encoder's scale rises steadily with the score, so a bisection finds the quality in seven steps.
The score is SSIMULACRA2's (90 cannot be told from the original, 70 is high quality, 50 is medium), estimated from two
of its many components: the structure lost in lightness at half size, and the colour lost at a quarter. Over
photographs, at all qualities and in all three formats, the estimate is off by 2.7 (root mean square), and by 2.4 around
70.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log

import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.planning.plan import Encoding

_MAX_QUALITY = 96
_SAMPLE_PIXELS = 200_000
"""A larger picture is judged by a part of this size from its middle, which limits the time of the search."""
_WHOLE_PIXELS, _LARGE_PIXELS = 1_000_000, 6_000_000
"""Up to the first, a byte budget is searched on the whole picture; up to the second it is approached in four steps."""
_GROWTH = 0.035
"""What one step of quality adds to the logarithm of the bytes, approximately."""
_MIN_SIDE = 16
"""A smaller picture is encoded at its format's default quality, because it is too small to be scored."""
_WINDOW_SIGMA = 1.5
_C2 = 0.0009
"""The constant of SSIMULACRA2, for a lightness of 0…1."""
_MAX_SCORE, _STRUCTURE_WEIGHT, _COLOUR_WEIGHT = 106.0, 201.0, 8.5
"""Fitted to SSIMULACRA2 over twelve photographs, six qualities and three formats."""
_TARGETS = {"low": 50, "good": 70, "best": 85}
"""Scores by the word of the recipe."""

Write = Callable[[pyvips.Image, int], bytes]


def fit_budget(image: pyvips.Image, write: Write, budget_bytes: int) -> bytes:
    """Return the picture at the highest quality that fits. Raise LimitExceeded, with the lowest size, if none fits.

    For a large picture, the quality is first searched on its middle with that share of the budget, then a few bodies
    are encoded to come closer. So it may end a step or two below the highest.
    """
    pixels = image.width * image.height
    bodies: dict[int, bytes] = {}

    def fits(quality: int) -> bool:
        bodies[quality] = write(image, quality)
        return len(bodies[quality]) <= budget_bytes

    if pixels <= _WHOLE_PIXELS:
        _highest(fits)
    else:
        sample = _sample(image)
        share = sample.width * sample.height / pixels
        quality = _highest(lambda tried: len(write(sample, tried)) <= budget_bytes * share)
        _approach(fits, bodies, quality, budget_bytes, 4 if pixels <= _LARGE_PIXELS else 2)
    fitting = [quality for quality, body in bodies.items() if len(body) <= budget_bytes]
    if not fitting and not fits(1):
        raise LimitExceeded(
            f"The picture has {len(bodies[1])} bytes at the lowest quality; the budget is {budget_bytes}: "
            "specify a smaller w."
        )
    return bodies[max(fitting, default=1)]


def _approach(
    fits: Callable[[int], bool], bodies: dict[int, bytes], quality: int, budget_bytes: int, tries: int
) -> None:
    """Encode at a quality, then at those that the error suggests, between what fits and what does not."""
    low, high = 0, _MAX_QUALITY + 1
    for _ in range(tries):
        if fits(quality):
            low = quality
        else:
            high = quality
        step = floor(log(budget_bytes / len(bodies[quality])) / _GROWTH)
        quality = min(high - 1, max(low + 1, quality + (step if step >= 0 else step - 1)))
        if high - low <= 1:
            return


def hit_target(image: pyvips.Image, draft: Write, write: Write, how: Encoding) -> bytes:
    """Return the picture at the lowest quality that scores as `how.target` requires.

    A large picture is judged by its middle. `draft` encodes what is only scored; it may be faster, and a little worse,
    than `write`.
    """
    sample = _sample(image)
    if how.quality is not None and min(sample.width, sample.height) < _MIN_SIDE:
        return write(image, how.quality)
    reference = analyse(sample)

    def is_worse(quality: int) -> bool:
        encoded = analyse(pyvips.Image.new_from_buffer(draft(sample, quality), ""))
        return score(reference, encoded) < _TARGETS[str(how.target)]

    return write(image, min(_MAX_QUALITY, _highest(is_worse) + 1))


def _highest(holds: Callable[[int], bool]) -> int:
    """Return the highest quality for which `holds`, which is true up to a point; the lowest if it never is."""
    low, high = 1, _MAX_QUALITY
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is compared of a picture, over white: CIE lightness 0…1 at half size, its blur, and a and b at a quarter."""

    lightness: pyvips.Image
    blurred: pyvips.Image
    colour: pyvips.Image


def analyse(image: pyvips.Image) -> Analysis:
    """Prepare a picture for comparison."""
    image = image.colourspace("srgb")
    image = image.flatten(background=255) if image.hasalpha() else image
    half = image.colourspace("lab").shrink(2, 2).copy_memory()
    lightness = (half[0] / 100).copy_memory()
    return Analysis(lightness, _blurred(lightness).copy_memory(), half.extract_band(1, n=2).shrink(2, 2).copy_memory())


def score(original: Analysis, encoded: Analysis) -> float:
    """Estimate the SSIMULACRA2 of `encoded`: at most 106; a score below 30 has little meaning."""
    product = original.blurred * encoded.blurred
    squares = original.blurred * original.blurred + encoded.blurred * encoded.blurred
    difference = squares - product * 2
    covariance = _blurred(original.lightness * encoded.lightness) - product
    variances = _blurred(original.lightness * original.lightness + encoded.lightness * encoded.lightness) - squares
    lost = (difference.linear(-1, 1) * (covariance * 2 + _C2) / (variances + _C2)).linear(-1, 1)
    structure: float = (lost < 0).ifthenelse(0, lost).avg()
    differences = original.colour - encoded.colour
    colour: float = (2 * (differences * differences).avg()) ** 0.5
    return _MAX_SCORE - _STRUCTURE_WEIGHT * structure**0.5 - _COLOUR_WEIGHT * colour**0.5


def _blurred(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(_WINDOW_SIGMA, precision="approximate")


def _sample(image: pyvips.Image) -> pyvips.Image:
    """Return the middle of a large picture, or of the first frame of an animation, in memory."""
    height = image.get("page-height") if image.get_typeof("page-height") else image.height
    ratio = min(1.0, (_SAMPLE_PIXELS / (image.width * height)) ** 0.5)
    wide, high = max(1, int(image.width * ratio)), max(1, int(height * ratio))
    sample = image.crop((image.width - wide) // 2, (height - high) // 2, wide, high).copy_memory()
    sample.remove("page-height")
    return sample
