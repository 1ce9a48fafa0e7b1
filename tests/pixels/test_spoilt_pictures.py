"""Quality and perceptual hash of pictures that are spoilt on purpose: a drawn scene, and photographs if there are any.

Each component falls with the damage that it measures, step by step. The score is lower at the end than at the
beginning; between two steps it may rise by a few points, because damage may help another component (noise widens the
contrast).
"""

from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import pytest
import pyvips

from proxy.core.media.examination import Examination
from proxy.core.media.perceptual_hash import distance
from proxy.core.media.quality_score import Quality
from proxy.pixels.examine import examine
from proxy.pixels.scenes import dunes
from tests.pictures import opened

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "corpus" / "photos"
NAMES = ["kodak/1.png", "kodak/4.png", "kodak/12.png", "kodak/17.png", "kodak/23.png"]

Damage = Callable[[pyvips.Image, float], pyvips.Image]


def photograph(name: str) -> pyvips.Image:
    """Return a photograph, or the drawn scene with texture. Skip the test if the photographs are not there."""
    if name == "drawn":
        picture = pyvips.Image.new_from_buffer(dunes(900, 600), "").copy_memory()
        return plain(picture + pyvips.Image.perlin(900, 600, cell_size=4, seed=5).linear(60, 0))
    path = PHOTOGRAPHS / name
    if not path.exists():
        pytest.skip("the photographs of the corpus are not here")
    return pyvips.Image.new_from_file(f"{path}").copy_memory()


def plain(image: pyvips.Image) -> pyvips.Image:
    return image.cast("uchar").copy(interpretation="srgb").copy_memory()


def examined(image: pyvips.Image, suffix: str = ".png", **options: int) -> Examination:
    with opened(image.write_to_buffer(suffix, **options)) as fd:
        return examine(fd)


def quality_of(image: pyvips.Image) -> Quality:
    quality = examined(image, compression=1).quality
    assert quality is not None
    return quality


def hash_of(image: pyvips.Image, suffix: str = ".png", **options: int) -> str:
    digits = examined(image, suffix, **options).phash
    assert digits is not None
    return digits


def noisy(image: pyvips.Image, sigma: float) -> pyvips.Image:
    return plain(image + pyvips.Image.gaussnoise(image.width, image.height, mean=0, sigma=sigma, seed=1))


DAMAGES: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "sharpness": (lambda image, sigma: plain(image.gaussblur(sigma)), (1, 2, 4, 8)),
    "exposure": (lambda image, factor: plain(image.linear(factor, 0)), (0.6, 0.4, 0.2, 0.05)),
    "contrast": (lambda image, factor: plain(image.linear(factor, 128 * (1 - factor))), (0.5, 0.3, 0.15, 0.05)),
    "noise": (noisy, (5, 10, 20, 40)),
    "resolution": (lambda image, factor: image.resize(factor), (0.7, 0.4, 0.2)),
}
"""By the component that falls: the damage, and its steps."""


@pytest.mark.parametrize("name", ["drawn", *NAMES])
@pytest.mark.parametrize("component", DAMAGES)
def test_a_component_falls_with_the_damage_that_it_measures(component: str, name: str) -> None:
    image = photograph(name)
    damage, steps = DAMAGES[component]
    qualities = [quality_of(spoilt) for spoilt in (image, *(damage(image, step) for step in steps))]
    values = [getattr(quality, component) for quality in qualities]
    assert all(later <= earlier for earlier, later in pairwise(values)), values
    assert values[-1] < 0.5 * values[0], values
    assert qualities[-1].score < qualities[0].score or component == "resolution", [q.score for q in qualities]


@pytest.mark.parametrize("name", ["drawn", *NAMES])
def test_noise_does_not_pass_for_sharpness(name: str) -> None:
    """Noise has fine differences too: a blurred picture with noise stays blurred."""
    image = photograph(name)
    blurred = plain(image.gaussblur(4))
    assert quality_of(noisy(blurred, 20)).sharpness <= quality_of(image).sharpness / 2
    assert quality_of(noisy(image, 20)).sharpness <= quality_of(image).sharpness


def test_too_bright_is_as_bad_as_too_dark() -> None:
    image = photograph("drawn")
    whole, bright = (quality_of(spoilt) for spoilt in (image, plain(image.linear(0.3, 220))))
    assert bright.exposure < 0.3 * whole.exposure


COPIES: dict[str, tuple[Callable[[pyvips.Image], str], int]] = {
    "half size": (lambda image: hash_of(image.resize(0.5)), 2),
    "a tenth of the size": (lambda image: hash_of(image.resize(0.1)), 2),
    "JPEG of quality 50": (lambda image: hash_of(image, ".jpg", Q=50), 2),
    "JPEG of quality 10": (lambda image: hash_of(image, ".jpg", Q=10), 4),
    "WebP of quality 30": (lambda image: hash_of(image, ".webp", Q=30), 4),
    "brighter": (lambda image: hash_of(plain(image + 20)), 4),
    "flatter": (lambda image: hash_of(plain(image.linear(0.7, 38))), 4),
    "grey": (lambda image: hash_of(image.colourspace("b-w")), 2),
    "blurred": (lambda image: hash_of(plain(image.gaussblur(2))), 4),
    "1 % of each edge cut off": (lambda image: hash_of(cropped(image, 0.01)), 6),
    "2 % of each edge cut off": (lambda image: hash_of(cropped(image, 0.02)), 10),
}
"""What is done to an image, and the distance that is allowed then."""


def cropped(image: pyvips.Image, share: float) -> pyvips.Image:
    x, y = int(image.width * share), int(image.height * share)
    return image.crop(x, y, image.width - 2 * x, image.height - 2 * y).copy_memory()


@pytest.mark.parametrize("name", ["drawn", *NAMES])
def test_a_hash_survives_what_copies_go_through(name: str) -> None:
    image = photograph(name)
    first = hash_of(image)
    distances = {change: (distance(first, copy(image)), most) for change, (copy, most) in COPIES.items()}
    assert {change: pair for change, pair in distances.items() if pair[0] > pair[1]} == {}


def test_different_pictures_are_far_apart() -> None:
    hashes = [hash_of(photograph(name)) for name in ("drawn", *NAMES)]
    hashes.append(hash_of(photograph(NAMES[0]).fliphor()))
    assert min(distance(first, second) for first, second in combinations(hashes, 2)) >= 16


@pytest.mark.parametrize("name", NAMES)
def test_colours_survive_a_smaller_copy(name: str) -> None:
    image = photograph(name)
    large, small = (list(map(levels, examined(copy).colors)) for copy in (image, image.resize(0.25)))
    assert large
    for colour in large[:2]:
        nearest = min(sum((mine - its) ** 2 for mine, its in zip(colour, other, strict=True)) for other in small)
        assert nearest < 30**2


def levels(color: str) -> bytes:
    return bytes.fromhex(color.removeprefix("#"))
