"""What pixels say of an image: perceptual hash, dominant colours, quality."""

import random
from dataclasses import replace
from math import cos, sin
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.dominant_colours import dominant_colours, mean_colour
from proxy.core.media.perceptual_hash import SIDE, bands, distance, perceptual_hash
from proxy.core.media.quality_score import Measurements, Quality, judge


def _scene(x: int, y: int) -> int:
    """Return a grey of a landscape with a sun and a dark hill."""
    sun = 90 if (x - 22) ** 2 + (y - 8) ** 2 < 20 else 0
    hill = 70 if y > 18 + 5 * sin(x / 4) else 0
    return round(60 + 2 * y + sun + 30 * cos(x / 9) - hill / 2)


SCENE = bytes(_scene(x, y) for y in range(SIDE) for x in range(SIDE))


def test_a_hash_survives_small_changes_and_tells_images_apart() -> None:
    chance = random.Random(3)
    brighter = bytes(min(255, level + 12) for level in SCENE)
    noisy = bytes(max(0, min(255, level + chance.randint(-3, 3))) for level in SCENE)
    turned = bytes(SCENE[y * SIDE + x] for x in reversed(range(SIDE)) for y in range(SIDE))
    first = perceptual_hash(SCENE)
    assert distance(first, first) == 0
    assert distance(first, perceptual_hash(brighter)) <= 6
    assert distance(first, perceptual_hash(noisy)) <= 6
    assert distance(first, perceptual_hash(turned)) >= 16


@given(st.binary(min_size=SIDE * SIDE, max_size=SIDE * SIDE))
def test_any_pixels_have_a_hash_and_its_bands_hold_it(pixels: bytes) -> None:
    digits = perceptual_hash(pixels)
    assert len(digits) == 16
    parts = bands(digits)
    assert all(-0x8000 <= part < 0x8000 for part in parts)
    assert "".join(f"{part & 0xFFFF:04x}" for part in parts) == digits


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 63), max_size=3))
def test_hashes_that_are_three_bits_apart_share_a_band(number: int, flipped: list[int]) -> None:
    other = number
    for bit in flipped:
        other ^= 1 << bit
    pairs = zip(bands(f"{number:016x}"), bands(f"{other:016x}"), strict=True)
    assert any(first == second for first, second in pairs)


def test_a_copy_of_another_size_has_no_hash() -> None:
    with pytest.raises(ValueError, match="32×32"):
        perceptual_hash(b"\0")


def test_the_most_frequent_colour_comes_first_and_similar_ones_are_one() -> None:
    pixels = (
        bytes((200, 30, 30)) * 500 + bytes((206, 34, 28)) * 100 + bytes((20, 20, 220)) * 300 + bytes((0, 255, 0)) * 3
    )
    assert dominant_colours(pixels) == ["#c91f1e", "#1414dc"]
    assert mean_colour(bytes((10, 20, 30, 30, 20, 10))) == "#141414"


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=400))
def test_any_pixels_have_at_most_five_colours(pixels: list[tuple[int, int, int]]) -> None:
    flat = bytes(part for pixel in pixels for part in pixel)
    colours = dominant_colours(flat)
    assert len(colours) <= 5
    assert all(len(colour) == 7 for colour in [*colours, mean_colour(flat)])


def histogram(**levels: int) -> list[int]:
    counts = [0] * 256
    for level, count in levels.items():
        counts[int(level[1:])] = count
    return counts


EVEN = [10] * 256
WEIGHTS = {"sharpness": 35, "exposure": 20, "contrast": 15, "resolution": 20, "noise": 10}


GOOD = Measurements(800.0, EVEN, 1.0, 1.0, 12_000_000)


def judged(**measured: Any) -> Quality:  # noqa: ANN401 - fields of several types
    return judge(replace(GOOD, **measured))


def test_what_is_good_is_judged_good() -> None:
    good = judge(GOOD)
    assert (good.sharpness > 0.99, good.exposure > 0.98) == (True, True)
    assert (good.contrast, good.resolution, good.noise) == (1.0, 1.0, 1.0)
    assert good.score >= 98


@pytest.mark.parametrize(
    ("variance", "fine", "sharpness"),
    [(0, 0, 0.0), (5, 0, 0.033), (104, 0, 0.5), (150, 0, 0.632), (800, 0, 0.995), (2_250, 9.5, 0.0), (754, 5, 0.577)],
)
def test_sharpness_is_the_laplacians_variance_without_what_noise_adds(
    variance: float, fine: float, sharpness: float
) -> None:
    assert judged(laplacian_variance=variance, fine_deviation=fine).sharpness == sharpness


@pytest.mark.parametrize(
    ("levels", "exposure"),
    [
        ({"_0": 100}, 0.0),
        ({"_20": 100}, 0.25),
        ({"_40": 100}, 0.5),
        ({"_80": 100}, 1.0),
        ({"_175": 100}, 1.0),
        ({"_215": 100}, 0.5),
        ({"_255": 100}, 0.0),
        ({"_0": 25, "_128": 75}, 0.75),
        ({"_255": 50, "_60": 50}, 0.5),
    ],
)
def test_exposure_is_the_means_place_times_what_is_not_clipped(levels: dict[str, int], exposure: float) -> None:
    assert judged(histogram=histogram(**levels)).exposure == exposure


@pytest.mark.parametrize(
    ("levels", "contrast"),
    [
        ({"_128": 100}, 0.0),
        ({"_100": 50, "_190": 50}, 0.5),
        ({"_10": 50, "_190": 50}, 1.0),
        ({"_0": 50, "_255": 50}, 1.0),
        ({"_0": 1, "_100": 49, "_190": 49, "_255": 1}, 0.5),
    ],
)
def test_contrast_is_the_span_without_the_outermost_pixels(levels: dict[str, int], contrast: float) -> None:
    assert judged(histogram=histogram(**levels)).contrast == contrast


@pytest.mark.parametrize(("pixels", "resolution"), [(1, 0.0), (100_000, 0.05), (2_000_000, 1.0), (10**9, 1.0)])
def test_resolution_is_the_area_over_two_megapixels(pixels: int, resolution: float) -> None:
    assert judged(pixels=pixels).resolution == resolution


@pytest.mark.parametrize(("deviation", "noise"), [(0, 1.0), (2, 1.0), (9, 0.5), (16, 0.0), (50, 0.0)])
def test_noise_counts_from_two_levels_on(deviation: float, noise: float) -> None:
    assert judged(quiet_deviation=deviation).noise == noise


def test_the_score_is_the_weighted_mean() -> None:
    assert Quality(1.0, 1.0, 1.0, 1.0, 1.0).score == 100
    single = [Quality(**{name: float(name == wanted) for name in WEIGHTS}).score for wanted in WEIGHTS]
    assert dict(zip(WEIGHTS, single, strict=True)) == WEIGHTS


@given(
    st.floats(-1e9, 1e9),
    st.lists(st.integers(0, 10**6), min_size=256, max_size=256),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.integers(0, 10**9),
)
def test_any_measurements_are_judged_within_bounds(
    variance: float, counts: list[int], fine: float, quiet: float, pixels: int
) -> None:
    quality = judge(Measurements(variance, counts, fine, quiet, pixels))
    parts = (quality.sharpness, quality.exposure, quality.contrast, quality.resolution, quality.noise)
    assert all(0 <= part <= 1 for part in parts)
    assert 0 <= quality.score <= 100
