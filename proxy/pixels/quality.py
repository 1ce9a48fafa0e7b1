"""Quality that is searched for: the best within a byte budget, or the least that looks as it should.

Theory. How a picture looks at a quality depends on the picture: fog hides what a face shows. So the picture is written,
read again and scored, and as an encoder's own scale rises steadily with how it looks, a bisection finds the quality in
seven steps. The score is that of SSIMULACRA2 (90 cannot be told from the original, 70 is high quality, 50 medium),
estimated from two of its many parts, structure lost in lightness at half size and colour lost at a quarter; over
photographs, at all qualities and in all three formats, it is off by 2.7 (root mean square), by 2.4 around 70.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log

import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.planning.plan import Encoding

_HIGHEST = 96
_SAMPLE_PIXELS = 200_000
"""A larger picture is judged by a part of this size from its middle: the search takes no longer than that."""
_WHOLE_PIXELS, _LARGE_PIXELS = 1_000_000, 6_000_000
"""Up to the first, a byte budget is searched for on the whole; up to the second it is approached in four steps."""
_GROWTH = 0.035
"""What a step of quality adds to the logarithm of the bytes, about."""
_SMALLEST_SIDE = 16
"""A smaller picture is written at its format's own quality: there is nothing to score."""
_WINDOW_SIGMA = 1.5
_C2 = 0.0009
"""As SSIMULACRA2 has it, for a lightness of 0…1."""
_BEST, _BY_STRUCTURE, _BY_COLOUR = 106.0, 201.0, 8.5
"""Fitted to SSIMULACRA2 over twelve photographs, six qualities and three formats."""
_TARGETS = {"low": 50, "good": 70, "best": 85}
"""What they score."""

Write = Callable[[pyvips.Image, int], bytes]


def fit_budget(image: pyvips.Image, write: Write, budget_bytes: int) -> bytes:
    """Give the picture at the highest quality whose body fits; LimitExceeded tells the smallest there is.

    A large picture's quality is first looked for on its middle, with that share of the budget; then a few bodies are
    written to come closer, so it may end a step or two below the highest.
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
        quality = _highest(lambda one: len(write(sample, one)) <= budget_bytes * share)
        _approach(fits, bodies, quality, budget_bytes, 4 if pixels <= _LARGE_PIXELS else 2)
    fitting = [quality for quality, body in bodies.items() if len(body) <= budget_bytes]
    if not fitting and not fits(1):
        raise LimitExceeded(
            f"The picture has {len(bodies[1])} bytes at the lowest quality; the budget is {budget_bytes}: "
            "say a smaller w."
        )
    return bodies[max(fitting, default=1)]


def _approach(
    fits: Callable[[int], bool], bodies: dict[int, bytes], quality: int, budget_bytes: int, tries: int
) -> None:
    """Write at a quality, and by how far that was off at the next ones, between what fits and what does not."""
    low, high = 0, _HIGHEST + 1
    for _ in range(tries):
        if fits(quality):
            low = quality
        else:
            high = quality
        by = log(budget_bytes / len(bodies[quality])) / _GROWTH
        quality = min(high - 1, max(low + 1, quality + (floor(by) if by > 0 else floor(by) - 1)))
        if high - low <= 1:
            return


def hit_target(image: pyvips.Image, draft: Write, write: Write, how: Encoding) -> bytes:
    """Give the picture at the lowest quality that scores as `how.target` says; a large one is judged by its middle.

    `draft` writes what is only looked at: as well as `write` or a little worse.
    """
    sample = _sample(image)
    if how.quality is not None and min(sample.width, sample.height) < _SMALLEST_SIDE:
        return write(image, how.quality)
    reference = look_at(sample)

    def is_worse(quality: int) -> bool:
        shown = look_at(pyvips.Image.new_from_buffer(draft(sample, quality), ""))
        return score(reference, shown) < _TARGETS[str(how.target)]

    return write(image, min(_HIGHEST, _highest(is_worse) + 1))


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


@dataclass(frozen=True, slots=True)
class Look:
    """What is compared of a picture, over white: CIE lightness 0…1 at half size, and its blur; a and b at a quarter."""

    lightness: pyvips.Image
    blurred: pyvips.Image
    colour: pyvips.Image


def look_at(image: pyvips.Image) -> Look:
    """Prepare a picture for comparison."""
    image = image.colourspace("srgb")
    image = image.flatten(background=255) if image.hasalpha() else image
    half = image.colourspace("lab").shrink(2, 2).copy_memory()
    lightness = (half[0] / 100).copy_memory()
    return Look(lightness, _blurred(lightness).copy_memory(), half.extract_band(1, n=2).shrink(2, 2).copy_memory())


def score(original: Look, shown: Look) -> float:
    """Estimate the SSIMULACRA2 of `shown`: at most 106, and below 30 of little meaning."""
    product = original.blurred * shown.blurred
    squares = original.blurred * original.blurred + shown.blurred * shown.blurred
    apart = squares - product * 2
    covariance = _blurred(original.lightness * shown.lightness) - product
    variances = _blurred(original.lightness * original.lightness + shown.lightness * shown.lightness) - squares
    lost = (apart.linear(-1, 1) * (covariance * 2 + _C2) / (variances + _C2)).linear(-1, 1)
    structure: float = (lost < 0).ifthenelse(0, lost).avg()
    differences = original.colour - shown.colour
    colour: float = (2 * (differences * differences).avg()) ** 0.5
    return _BEST - _BY_STRUCTURE * structure**0.5 - _BY_COLOUR * colour**0.5


def _blurred(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(_WINDOW_SIGMA, precision="approximate")


def _sample(image: pyvips.Image) -> pyvips.Image:
    """Give the middle of a large picture, of an animation the middle of the first frame, in memory."""
    height = image.get("page-height") if image.get_typeof("page-height") else image.height
    ratio = min(1.0, (_SAMPLE_PIXELS / (image.width * height)) ** 0.5)
    wide, high = max(1, int(image.width * ratio)), max(1, int(height * ratio))
    sample = image.crop((image.width - wide) // 2, (height - high) // 2, wide, high).copy_memory()
    sample.remove("page-height")
    return sample
