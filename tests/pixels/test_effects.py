"""Effects on colours whose right answer can be worked out by hand; tolerances are per channel of 255."""

from statistics import NormalDist

import pytest
import pyvips

from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from tests.pictures import decoded, near, opened, solid

GREY = (100, 100, 100)
RED = (200, 50, 50)
DULL = (150, 110, 100)


def rendered(picture: object, recipe: str) -> object:
    """Develop a picture by a recipe that ends in png."""
    with opened(picture.pngsave_buffer()) as fd:  # type: ignore[attr-defined]
        return decoded(render(fd, resolve_plan(parse(recipe), probe(fd))).body)


@pytest.mark.parametrize(
    ("paint", "effect", "becomes"),
    [
        (RED, "gray", (107, 107, 107)),
        (RED, "invert", (55, 205, 205)),
        (GREY, "invert", (155, 155, 155)),
        (GREY, "con2", (73, 73, 73)),
        (GREY, "con0", (128, 128, 128)),
        (GREY, "bri0", (0, 0, 0)),
        (GREY, "bri1.5", (153, 153, 153)),
        (RED, "sat0", (107, 107, 107)),
        (GREY, "hue180", GREY),
        (GREY, "gamma2", (160, 160, 160)),
        (GREY, "sepia", (135, 120, 94)),
        ((255, 255, 255), "sepia", (255, 255, 239)),
        ((0, 0, 0), "tint2a6f97", (0, 0, 0)),
        ((255, 255, 255), "tint2a6f97", (255, 255, 255)),
        ((0, 0, 0), "duotone102030_ffeedd", (16, 32, 48)),
        ((255, 255, 255), "duotone102030_ffeedd", (255, 238, 221)),
        (RED, "duotone000000_ffffff", (82, 82, 82)),
        (RED, "blur5", RED),
        (RED, "sharpen3", RED),
        (RED, "pixelate3", RED),
    ],
)
def test_a_colour_becomes_what_the_effect_says(paint: tuple[int, ...], effect: str, becomes: tuple[int, ...]) -> None:
    picture = rendered(solid(20, 14, paint), f"{effect}-png")
    assert near(picture, 10, 7, becomes, 2), picture(10, 7)  # type: ignore[operator]


EFFECTS = [
    "blur3",
    "blur40",
    "sharpen2",
    "pixelate5",
    "bri1.5",
    "con1.5",
    "sat0.5",
    "hue90",
    "gamma2",
    "gray",
    "sepia",
    "invert",
    "tint2a6f97",
    "duotone102030_ffeedd",
]


@pytest.mark.parametrize("effect", EFFECTS)
def test_alpha_stays_what_it_was(effect: str) -> None:
    """Half of it clear, the other half full: away from the edge both stay, and no hidden colour comes out."""
    clear = solid(100, 40, (0, 255, 0, 0)).insert(solid(50, 40, (*RED, 255)), 0, 0)
    before = rendered(solid(100, 40, RED), f"{effect}-png")
    after = rendered(clear, f"{effect}-png")
    assert after.hasalpha()  # type: ignore[attr-defined]
    left, right = after(2, 20), after(97, 20)  # type: ignore[operator]
    assert right[3] <= (60 if effect == "blur40" else 0)
    assert left[3] >= (195 if effect == "blur40" else 255)
    assert all(abs(ours - theirs) <= 3 for ours, theirs in zip(left[:3], before(2, 20), strict=True))  # type: ignore[operator]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("bands", [1, 2])
def test_grey_pictures_take_every_effect(effect: str, bands: int) -> None:
    grey = pyvips.Image.black(30, 20, bands=bands).linear(1, [100, 255][:bands]).cast("uchar")
    grey = grey.copy(interpretation="b-w")
    colour = rendered(solid(30, 20, GREY), f"{effect}-png")
    grey_picture = rendered(grey, f"{effect}-png")
    assert (grey_picture.width, grey_picture.height) == (30, 20)  # type: ignore[attr-defined]
    assert all(abs(a - b) <= 2 for a, b in zip(grey_picture(15, 10)[:3], colour(15, 10)[:3], strict=False))  # type: ignore[operator]


def test_pixelate_makes_blocks_of_their_own_mean_from_the_top_left() -> None:
    ramp = pyvips.Image.xyz(20, 8)[0].linear(10, 0).cast("uchar")
    picture = rendered(ramp.bandjoin([ramp, ramp]).copy(interpretation="srgb"), "pixelate8-png")
    assert [picture(x, 3)[0] for x in (0, 7, 8, 15)] == [35, 35, 115, 115]  # type: ignore[operator]


@pytest.mark.parametrize("sigma", [3, 12, 50])
def test_a_blur_is_a_gaussian_s_however_wide(sigma: int) -> None:
    """A step becomes the normal distribution; libvips leaves out its ends, below a fifth of the height."""
    step = solid(600, 40, (0, 0, 0)).insert(solid(300, 40, (255, 255, 255)), 300, 0)
    picture = rendered(step, f"blur{sigma}-png")
    for x in (20, 300 - 2 * sigma, 300 - sigma, 299, 300, 300 + sigma, 580):
        part = NormalDist(300, sigma).cdf(x + 0.5)
        assert abs(picture(x, 20)[0] - 255 * part) <= 10, x  # type: ignore[operator]


def test_a_hue_turned_all_around_comes_back() -> None:
    turned = rendered(solid(20, 14, DULL), "hue90-png")
    assert near(rendered(turned, "hue270-png"), 10, 7, DULL, 3)
    assert not near(turned, 10, 7, DULL, 20)


def test_sharpening_deepens_an_edge() -> None:
    step = solid(60, 20, (80, 80, 80)).insert(solid(30, 20, (170, 170, 170)), 30, 0)
    picture = rendered(step, "sharpen1.5-png")
    assert picture(28, 10)[0] < 78  # type: ignore[operator]
    assert picture(31, 10)[0] > 172  # type: ignore[operator]
