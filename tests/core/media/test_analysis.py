"""What pixels say of an image: perceptual hash, dominant colours, quality."""

import random
from math import cos, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.dominant_colours import dominant_colours, mean_colour
from proxy.core.media.perceptual_hash import SIDE, bands, distance, perceptual_hash
from proxy.core.media.quality_score import Measurements, judge


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


def test_each_component_follows_its_measurement() -> None:
    good = judge(Measurements(800.0, EVEN, 1.0, 12_000_000))
    assert (good.sharpness > 0.99, good.exposure > 0.98, good.contrast, good.resolution) == (True, True, 1.0, 1.0)
    assert good.score >= 95
    assert judge(Measurements(5.0, EVEN, 1.0, 12_000_000)).sharpness < 0.05
    assert judge(Measurements(800.0, histogram(_10=90, _20=10), 1.0, 12_000_000)).exposure < 0.2
    assert judge(Measurements(800.0, histogram(_250=90, _245=10), 1.0, 12_000_000)).exposure < 0.1
    assert judge(Measurements(800.0, histogram(_0=50, _128=50), 1.0, 1)).exposure < 0.45
    assert judge(Measurements(800.0, histogram(_120=50, _130=50), 1.0, 1)).contrast < 0.1
    assert judge(Measurements(800.0, EVEN, 1.0, 100_000)).resolution == 0.05
    assert judge(Measurements(800.0, EVEN, 20.0, 1)).noise == 0.0


@given(
    st.floats(-1e9, 1e9),
    st.lists(st.integers(0, 10**6), min_size=256, max_size=256),
    st.floats(0, 1e9),
    st.integers(0, 10**9),
)
def test_any_measurements_are_judged_within_bounds(
    variance: float, counts: list[int], noise: float, pixels: int
) -> None:
    quality = judge(Measurements(variance, counts, noise, pixels))
    parts = (quality.sharpness, quality.exposure, quality.contrast, quality.resolution, quality.noise)
    assert all(0 <= part <= 1 for part in parts)
    assert 0 <= quality.score <= 100
