"""Trimming: the border goes, whatever kind of picture it is of."""

import pytest
import pyvips

from proxy.core.geometry import Box
from proxy.core.planning.plan import Trim
from proxy.core.planning.planner import PlanContext, plan_render
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.trim import find_content
from tests.pictures import BLUE, RED, WHITE, opened, solid

INNER = Box(12, 8, 20, 10)


def content(picture: pyvips.Image, recipe: str = "trim10-png", suffix: str = ".png") -> Box:
    with opened(picture.write_to_buffer(suffix)) as fd:
        question = plan_render(parse(recipe), probe(fd), PlanContext())
        assert isinstance(question, Trim)
        return find_content(fd, question)


def framed(ground: tuple[int, ...], paint: tuple[int, ...]) -> pyvips.Image:
    return solid(60, 40, ground).insert(solid(INNER.width, INNER.height, paint), INNER.left, INNER.top)


@pytest.mark.parametrize(
    ("ground", "paint"),
    [
        (WHITE, RED),
        ((*WHITE, 255), (*RED, 255)),
        ((*WHITE, 128), (*RED, 255)),
        ((0, 0, 0, 0), (*RED, 255)),
        ((0, 0, 0, 0), (0, 0, 0, 255)),
        ((*RED, 0), (*BLUE, 200)),
    ],
)
def test_with_alpha_and_without(ground: tuple[int, ...], paint: tuple[int, ...]) -> None:
    assert content(framed(ground, paint)) == INNER
    if len(ground) == 4:
        assert content(framed(ground, paint).colourspace("b-w"), suffix=".png") == INNER
        assert content(framed(ground, paint), suffix=".webp[lossless=true]") == INNER


def test_sixteen_bits_are_compared_as_eight() -> None:
    noise = pyvips.Image.gaussnoise(60, 40, mean=60_000, sigma=200, seed=3).cast("ushort").copy(interpretation="grey16")
    dark = pyvips.Image.black(INNER.width, INNER.height).cast("ushort").copy(interpretation="grey16")
    assert content(noise.insert(dark, INNER.left, INNER.top)) == INNER


def test_all_of_one_colour_is_left_as_it_is() -> None:
    for ground in (WHITE, (0, 0, 0, 0)):
        assert content(solid(60, 40, ground)) == Box(0, 0, 60, 40)
