"""Quality: how sharp, well exposed, contrasty, large and clean an image is, each from 0 to 1.

Measured on a grey copy with a longer side of 512 pixels (levels 0…255):

    sharpness   1 - exp(-v/150), v the variance of the Laplacian: blur takes the fine differences away. What noise adds
                to it is taken off: 25 s², s the noise's standard deviation by Immerkær's method (1996). White noise
                adds 20 s²; the reduction to 512 pixels makes its neighbours alike, which hides a fifth of it from s
    exposure    1 for a mean between 80 and 175, falling to 0 at black and white, times the share that is not clipped
    contrast    the span between the 2nd and the 98th percentile, over 180 levels
    resolution  megapixels over 2, at most 1
    noise       1 - (q - 2)/14, q Immerkær's deviation in the quietest tenth of blocks of 16×16, where there is least
                texture to be mistaken for noise. Nobody sees less than 2 levels

The score is their weighted mean, from 0 to 100: sharpness 35 %, exposure and resolution 20 % each, contrast 15 %,
noise 10 %. It judges technique, not content: a deliberate silhouette is dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

SAMPLE_SIDE: Final = 512
_SHARPNESS_SCALE: Final = 150.0
_DARK, _BRIGHT, _WHITE = 80.0, 175.0, 255.0
_SPAN: Final = 180.0
_FULL_RESOLUTION: Final = 2_000_000
_NOISE_IN_LAPLACIAN: Final = 25.0
_INVISIBLE_NOISE, _NOISE_SCALE = 2.0, 14.0
_WEIGHTS: Final = {"sharpness": 0.35, "exposure": 0.2, "contrast": 0.15, "resolution": 0.2, "noise": 0.1}


@dataclass(frozen=True, slots=True)
class Measurements:
    """What is measured on the grey copy."""

    laplacian_variance: float
    histogram: Sequence[int]
    """256 counts."""
    fine_deviation: float
    """Immerkær's estimate of noise over the whole copy: noise and the finest texture."""
    quiet_deviation: float
    """The same in the quietest tenth of its blocks: noise alone."""
    pixels: int
    """Of the original."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Components from 0 to 1, and the score from 0 to 100."""

    sharpness: float
    exposure: float
    contrast: float
    resolution: float
    noise: float

    @property
    def score(self) -> int:
        """The weighted mean of the components."""
        return round(100 * sum(weight * float(getattr(self, name)) for name, weight in _WEIGHTS.items()))


def judge(measured: Measurements) -> Quality:
    """Return the quality that measurements show."""
    total = max(1, sum(measured.histogram))
    mean = sum(level * count for level, count in enumerate(measured.histogram)) / total
    clipped = (measured.histogram[0] + measured.histogram[255]) / total
    detail = max(0.0, measured.laplacian_variance - _NOISE_IN_LAPLACIAN * measured.fine_deviation**2)
    return Quality(
        sharpness=_unit(1 - exp(-detail / _SHARPNESS_SCALE)),
        exposure=_unit(_exposure(mean) * (1 - clipped)),
        contrast=_unit((_percentile(measured.histogram, 0.98) - _percentile(measured.histogram, 0.02)) / _SPAN),
        resolution=_unit(measured.pixels / _FULL_RESOLUTION),
        noise=_unit(1 - (measured.quiet_deviation - _INVISIBLE_NOISE) / _NOISE_SCALE),
    )


def _exposure(mean: float) -> float:
    if mean < _DARK:
        return mean / _DARK
    return 1.0 if mean <= _BRIGHT else (_WHITE - mean) / (_WHITE - _BRIGHT)


def _percentile(histogram: Sequence[int], share: float) -> int:
    """Return the level below or at which a share of the pixels lies."""
    wanted, seen = share * sum(histogram), 0
    for level, count in enumerate(histogram):
        seen += count
        if seen >= wanted and seen:
            return level
    return len(histogram) - 1


def _unit(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 3)
