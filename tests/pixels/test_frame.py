"""Padding, borders, round corners, watermarks and texts: colours at places that can be worked out by hand."""

import pytest
import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size
from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels.lettering import draw_text, open_fonts
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from tests.pictures import counting, decoded, frame_paint, near, opened, solid

BLUE, RED, WHITE = (30, 30, 220), (220, 30, 30), (255, 255, 255)

open_fonts(None)


def rendered(recipe: str, picture: bytes | None = None, stamp: bytes | None = None) -> pyvips.Image:
    """Render a blue picture of 100×60, or another one, with a watermark if `stamp` is given."""
    picture = picture or solid(100, 60, BLUE).pngsave_buffer()
    with opened(picture) as fd, opened(stamp or b"-") as stamp_fd:
        size = None
        if stamp is not None:
            facts = probe(stamp_fd)
            size = Size(facts.upright.width, facts.upright.height)
        plan = resolve_plan(parse(recipe), probe(fd), PlanContext(watermark=size))
        derivative = render(fd, plan, stamp_fd if stamp else None)
        assert Size(derivative.width, derivative.height) == plan.size
        return decoded(derivative.body)


@pytest.mark.parametrize(("where", "paint"), [((5, 3), RED), ((25, 40), BLUE), ((5, 62), RED), ((122, 30), RED)])
def test_padding_has_the_background(where: tuple[int, int], paint: tuple[int, ...]) -> None:
    picture = rendered("pad10_20_30_10-bgdc1e1e-png")
    assert (picture.width, picture.height) == (130, 100)
    assert near(picture, *where, paint, 1)


def test_padding_is_clear_where_the_format_can() -> None:
    assert rendered("pad10-png")(3, 3)[3] == 0
    assert near(rendered("pad10-png"), 50, 30, (*BLUE, 255), 1)
    assert near(rendered("pad10-jpeg"), 3, 3, WHITE, 3)


def test_a_border_lies_around_the_padding() -> None:
    picture = rendered("pad10-border4_00ff00-bgdc1e1e-png")
    assert (picture.width, picture.height) == (128, 88)
    assert [near(picture, x, 40, paint, 1) for x, paint in ((1, (0, 255, 0)), (8, RED), (20, BLUE))] == [True] * 3


@pytest.mark.parametrize(
    ("recipe", "corner", "edge"),
    [
        ("round20-png", None, (*BLUE, 255)),
        ("round20-jpeg", WHITE, BLUE),
        ("round20-bgdc1e1e-jpeg", RED, BLUE),
        ("round20-bgdc1e1e-png", None, (*BLUE, 255)),
    ],
)
def test_round_corners_are_cut(recipe: str, corner: tuple[int, ...] | None, edge: tuple[int, ...]) -> None:
    picture = rendered(recipe)
    if corner is None:
        assert picture(0, 0)[3] == 0
    else:
        assert near(picture, 0, 0, corner, 30)
    assert near(picture, 50, 0, edge, 12)
    assert near(picture, 0, 30, edge, 12)


def test_a_round_square_is_a_disc() -> None:
    """Its area is π/4 of the square's, to half a percent: the edge is antialiased."""
    picture = rendered("round-png", solid(200, 200, BLUE).pngsave_buffer())
    assert abs(picture[3].avg() / 255 - 0.7854) < 0.004


STAMP = solid(40, 20, (*RED, 255)).pngsave_buffer()


@pytest.mark.parametrize(
    ("stamp", "inside", "outside"),
    [
        ("wm_logo_nw_50", (3, 3), (52, 3)),
        ("wm_logo_se_50", (96, 57), (46, 57)),
        ("wm_logo_c_50", (50, 30), (22, 30)),
        ("wm_logo_e_50", (96, 30), (46, 30)),
        ("wm_logo_n_50", (50, 3), (50, 28)),
        ("wm_logo_tile_10", (3, 3), (12, 3)),
    ],
)
def test_a_watermark_lies_where_it_is_said(stamp: str, inside: tuple[int, int], outside: tuple[int, int]) -> None:
    picture = rendered(f"{stamp}-png", stamp=STAMP)
    assert near(picture, *inside, RED, 2), picture(*inside)
    assert near(picture, *outside, BLUE, 2), picture(*outside)


def test_a_watermark_is_as_opaque_as_is_said() -> None:
    picture = rendered("wm_logo_c_50_50-png", stamp=STAMP)
    assert near(picture, 50, 30, tuple((a + b) // 2 for a, b in zip(RED, BLUE, strict=True)), 3)


def test_a_watermark_stands_upright() -> None:
    """Its file lies on its side: 20×40 once upright, so 15×30 in a room of 50×30."""
    lying = solid(40, 20, RED).copy()
    lying.set_type(pyvips.GValue.gint_type, "orientation", 6)
    picture = rendered("wm_logo_c_50-png", stamp=lying.jpegsave_buffer(Q=95))
    assert near(picture, 50, 17, RED, 12)
    assert near(picture, 40, 30, BLUE, 12)


def test_a_watermark_is_on_every_frame_of_an_animation() -> None:
    with opened(counting(4)) as fd, opened(STAMP) as stamp_fd:
        plan = resolve_plan(parse("wm_logo_se_50-webp"), probe(fd), PlanContext(watermark=Size(40, 20)))
        body = render(fd, plan, stamp_fd).body
    film = pyvips.Image.new_from_buffer(body, "", n=-1)
    for frame in range(4):
        assert near(film, 20, frame * 24 + 21, RED, 30), frame
        assert near(film, 4, frame * 24 + 4, frame_paint(frame), 30), frame


def test_a_text_is_white_with_a_dark_shadow_and_its_place_is_its_own() -> None:
    picture = rendered("texte29688e29688_c_50-png", solid(400, 200, (128, 128, 128)).pngsave_buffer())
    assert near(picture, 200, 100, WHITE, 3)
    assert picture(150, 130)[0] >= 0
    assert picture.min() < 100
    assert near(picture, 5, 5, (128, 128, 128), 1)


@pytest.mark.parametrize("text", ["<b>&amp;", "שלום", "مرحبا بالعالم", "🙂", "Ωλ Жя", "a" * 200])
def test_any_text_can_be_drawn_and_markup_is_only_text(text: str) -> None:
    image = draw_text(text)
    assert image.extract_band(3).max() == 255
    assert image.width > 30


def test_letters_are_not_markup() -> None:
    assert draw_text("<b>").width > draw_text("b").width * 1.5


def test_right_to_left_is_laid_out_from_the_right() -> None:
    """The lam of לא reaches above the line: it is the first letter, so its ascender is on the right."""
    image = draw_text("לא").extract_band(3)
    top = image.crop(0, 0, image.width, image.height // 4)
    left, right = (
        top.crop(0, 0, image.width // 2, top.height),
        top.crop(image.width // 2, 0, image.width // 2, top.height),
    )
    assert right.avg() > left.avg()


@pytest.mark.parametrize("size", [(20, 1), (1, 20), (1, 1)])
def test_a_picture_of_one_row_has_no_corners_to_round(size: tuple[int, int]) -> None:
    picture = rendered("round-png", solid(*size, (10, 20, 30)).pngsave_buffer())
    assert near(picture, 0, 0, (10, 20, 30), 0)


def test_grey_with_alpha_is_laid_over_the_colour_that_is_asked_for() -> None:
    clear = solid(20, 20, (90, 90, 90)).colourspace("b-w").bandjoin(0).pngsave_buffer()
    assert near(rendered("bgff0000-png", clear), 10, 10, (255, 0, 0), 0)


@pytest.mark.parametrize("recipe", ["bri1.2-sepia-png", "sat0.4-duotone112233_ffeedd-png", "hue145-sepia-png"])
def test_grey_with_alpha_takes_every_effect(recipe: str) -> None:
    grey = solid(20, 20, (90, 90, 90)).colourspace("b-w").bandjoin(255).pngsave_buffer()
    assert rendered(recipe, grey).width == 20


def test_a_text_that_has_no_letter_is_over_what_can_be_drawn() -> None:
    with pytest.raises(LimitExceeded, match="no letter"):
        rendered("texte2808b-png", solid(20, 20, (90, 90, 90)).pngsave_buffer())
