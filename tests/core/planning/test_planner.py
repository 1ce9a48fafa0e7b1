"""The planner: sizes and boxes that were computed by hand, and limits that are reported with their numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, FORMATS, JPEG, PNG, TEXTS
from proxy.core.planning.limits import Limits
from proxy.core.planning.plan import Colour, Overlay, Plan
from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.recipe import Recipe
from tests.recipes import recipes

PHOTO = Facts(JPEG, 3000, 2000)
LIMITS = Limits()


def plan_of(recipe: str, facts: Facts = PHOTO, limits: Limits = LIMITS) -> Plan:
    return resolve_plan(parse(recipe), facts, PlanContext(limits))


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ("jpeg", (3000, 2000)),
        ("w300", (300, 200)),
        ("h300", (450, 300)),
        ("w301", (301, 201)),
        ("w300-h300", (300, 300)),
        ("w300-h300-inside", (300, 200)),
        ("w300-h300-outside", (450, 300)),
        ("w300-h300-contain", (300, 300)),
        ("w300-h300-fill", (300, 300)),
        ("w300-ar1_1", (300, 300)),
        ("h300-ar16_9", (533, 300)),
        ("w300-dpr2", (600, 400)),
        ("w101-dpr1.5", (152, 101)),
        ("w6000", (3000, 2000)),
        ("w6000-up", (6000, 4000)),
        ("w6000-h1000", (3000, 1000)),
        ("w6000-h6000", (3000, 2000)),
        ("w6000-h1000-inside", (1500, 1000)),
        ("w6000-h1000-outside", (3000, 2000)),
        ("w6000-h1000-fill", (3000, 1000)),
        ("w6000-h3000-contain", (6000, 3000)),
        ("w6000-h1000-up", (6000, 1000)),
        ("w2000-h2000-dpr2", (2000, 2000)),
        ("w1000-h1600-dpr2", (1250, 2000)),
        ("w4000-h1000-dpr2", (3000, 1000)),
        ("w1000-h1600-up-dpr2", (2000, 3200)),
        ("w6000-ar1_1", (2000, 2000)),
        ("h3000-ar3_1", (3000, 1000)),
        ("w2000-ar1_1-dpr3", (2000, 2000)),
        ("w3000-ar1_1-up", (3000, 3000)),
        ("w6000-ar1_1-fill", (3000, 2000)),
        ("w6000-ar1_1-contain", (6000, 6000)),
        ("rot90-w300", (300, 450)),
        ("rot180-w300", (300, 200)),
        ("crop0_0_1000_1000-w300", (300, 300)),
        ("crop0.5_0_0.5_1-w300", (300, 400)),
        ("crop0_0_1000_500-rot90", (500, 1000)),
        ("w1-h8000-inside", (1, 1)),
    ],
)
def test_the_size_of_a_3000_by_2000_photograph(recipe: str, size: tuple[int, int]) -> None:
    assert plan_of(recipe).size == Size(*size)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_applied_before_anything_is_asked(orientation: int) -> None:
    facts = Facts(JPEG, 3000, 2000, orientation=orientation)
    upright = (200, 300) if orientation >= 5 else (300, 200)
    assert plan_of("w300" if orientation < 5 else "w200", facts).size == Size(*upright)
    assert plan_of("w300-h300", facts).size == Size(300, 300)


@pytest.mark.parametrize(
    ("recipe", "cut"),
    [
        ("w300-h100", Box(0, 50, 300, 100)),
        ("w100-h100", Box(25, 0, 100, 100)),
        ("w100-h100-gw", Box(0, 0, 100, 100)),
        ("w100-h100-ge", Box(50, 0, 100, 100)),
        ("w300-h100-gn", Box(0, 0, 300, 100)),
        ("w300-h100-gs", Box(0, 100, 300, 100)),
        ("w100-h100-gnw", Box(0, 0, 100, 100)),
        ("w100-h100-gse", Box(50, 0, 100, 100)),
        ("w100-h100-fp0_0.5", Box(0, 0, 100, 100)),
        ("w100-h100-fp1_0.5", Box(50, 0, 100, 100)),
        ("w100-h100-fp0.5_0.5", Box(25, 0, 100, 100)),
        ("w100-h100-fp0.4_0", Box(10, 0, 100, 100)),
    ],
)
def test_a_cover_crop_keeps_what_gravity_says(recipe: str, cut: Box) -> None:
    assert plan_of(recipe).cut == cut


def test_smart_and_entropy_leave_the_place_to_the_pixels() -> None:
    assert plan_of("w100-h100-gsmart").interest == "smart"
    assert plan_of("w100-h100-gentropy").interest == "entropy"
    assert plan_of("w300-h200-gsmart").interest is None


def test_contain_centres_on_its_canvas() -> None:
    assert plan_of("w300-h301-contain").canvas == Box(0, 50, 300, 301)
    assert plan_of("w300-h300-contain").background == Colour(255, 255, 255)
    assert plan_of("w300-h300-contain-webp").background is None
    assert plan_of("w300-h300-contain-bg11223344-webp").background == Colour(0x11, 0x22, 0x33, 0x44)
    assert plan_of("w300-h300-contain-bg11223344-jpeg").background == Colour(0x11, 0x22, 0x33)


def test_the_jpeg_decoder_leaves_a_factor_of_two() -> None:
    shrinks = {side: plan_of(f"w{side}").load_shrink for side in (187, 188, 375, 376, 750, 751, 3000)}
    assert shrinks == {187: 8, 188: 4, 375: 4, 376: 2, 750: 2, 751: 1, 3000: 1}
    assert plan_of("w187-webp", Facts(PNG, 3000, 2000)).load_shrink == 1
    assert plan_of("crop0_0_3000_1999-w100").load_shrink == 1


def test_a_crop_is_found_again_in_the_stored_orientation() -> None:
    """Orientation 6 is stored lying: the viewer's top left 100×200 is the stored bottom left 200×100."""
    plan = plan_of("crop0_0_100_200", Facts(JPEG, 3000, 2000, orientation=6))
    assert plan.crop == Box(0, 1900, 200, 100)
    assert plan.turn == Turn(quarters=1)
    assert plan.size == Size(100, 200)


def test_rot_flip_and_flop_follow_the_orientation() -> None:
    assert plan_of("rot90-w10", Facts(JPEG, 30, 20, orientation=6)).turn == Turn(quarters=2)
    assert plan_of("flop-w10", Facts(JPEG, 30, 20, orientation=2)).turn == Turn()
    assert plan_of("flip-w10").turn == Turn(mirrored=True, quarters=2)
    assert plan_of("rot90-flip-w10").turn == Turn(mirrored=True, quarters=1)
    assert plan_of("w10").turn == Turn()


facts_in_reach = st.builds(
    Facts,
    format=st.sampled_from([known for known in FORMATS.values() if known not in (AVIF, *TEXTS)]),
    width=st.integers(1, 5_000),
    height=st.integers(1, 5_000),
    orientation=st.integers(1, 8),
    frames=st.integers(1, 12),
    alpha=st.booleans(),
)


@given(recipes(), facts_in_reach, st.sampled_from(["avif", "webp", "base"]))
def test_any_recipe_on_any_original_is_planned_within_the_limits_or_refused(
    recipe: Recipe, facts: Facts, client: str
) -> None:
    try:
        plan = resolve_plan(recipe, facts, PlanContext(LIMITS, client))  # type: ignore[arg-type]
    except LimitExceeded:
        return
    assert plan.size.longest <= LIMITS.output_side
    assert plan.size.pixels * plan.frames <= LIMITS.output_pixels
    assert plan.first_frame + plan.frames <= facts.frames
    turned = plan.turn.of_size(plan.scaled)
    if plan.crop:
        assert plan.crop.left >= 0
        assert plan.crop.left + plan.crop.width <= facts.width
        assert plan.crop.top + plan.crop.height <= facts.height
    if plan.cut:
        assert plan.cut.left + plan.cut.width <= turned.width
        assert plan.cut.top + plan.cut.height <= turned.height
        assert plan.cut.left >= 0
        assert plan.cut.top >= 0
    if plan.canvas:
        placed = plan.cut.size if plan.cut else turned
        assert plan.canvas.left + placed.width <= plan.canvas.width
        assert plan.canvas.top + placed.height <= plan.canvas.height
    if not recipe.up:
        base = Size(plan.crop.width, plan.crop.height) if plan.crop else facts.stored
        assert plan.scaled.width <= base.width
        assert plan.scaled.height <= base.height


@given(recipes(), facts_in_reach)
def test_a_plan_survives_the_way_to_the_worker(recipe: Recipe, facts: Facts) -> None:
    try:
        plan = resolve_plan(recipe, facts, PlanContext(LIMITS))
    except LimitExceeded:
        return
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@given(facts_in_reach)
def test_facts_survive_the_way_from_the_worker(facts: Facts) -> None:
    assert Facts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


@pytest.mark.parametrize(
    ("recipe", "size", "canvas"),
    [
        ("w300-pad10", Size(320, 220), Box(10, 10, 320, 220)),
        ("w300-pad1_2_3_4", Size(306, 204), Box(4, 1, 306, 204)),
        ("w300-h300-contain-pad10", Size(320, 320), Box(10, 60, 320, 320)),
        ("w300-h300-pad10", Size(320, 320), Box(10, 10, 320, 320)),
        ("w300-dpr2-pad10", Size(640, 440), Box(20, 20, 640, 440)),
        ("w300-border5_ff0000", Size(310, 210), None),
        ("w300-dpr1.5-pad10-border3_ff0000", Size(490, 340), Box(15, 15, 480, 330)),
    ],
)
def test_padding_and_border_lie_around_the_picture(recipe: str, size: Size, canvas: Box | None) -> None:
    plan = plan_of(recipe)
    assert (plan.size, plan.canvas) == (size, canvas)


@pytest.mark.parametrize(
    ("recipe", "radius", "outside"),
    [
        ("w300-round20-png", 20, None),
        ("w300-dpr2-round20-png", 40, None),
        ("w300-round-png", 100, None),
        ("w300-round4096-png", 100, None),
        ("w300-round20-jpeg", 20, Colour(255, 255, 255)),
        ("w300-round20-bg102030-jpeg", 20, Colour(16, 32, 48)),
        ("w300-jpeg", None, None),
    ],
)
def test_corners_are_round_to_the_middle_at_most(recipe: str, radius: int | None, outside: Colour | None) -> None:
    plan = plan_of(recipe)
    assert (plan.radius, plan.outside) == (radius, outside)


def test_effects_keep_their_order_and_blur_follows_the_device_pixel_ratio() -> None:
    plan = plan_of("w300-dpr2-blur1.5-bri1.2-hue30-gray-duotone000000_0a0b0c")
    assert [(effect.name, effect.numbers) for effect in plan.effects] == [
        ("blur", (3.0,)),
        ("brightness", (1.2,)),
        ("hue", (30.0,)),
        ("gray", ()),
        ("duotone", (0.0, 0.0, 0.0, 10.0, 11.0, 12.0)),
    ]


def test_a_watermark_and_a_text_fit_into_their_share() -> None:
    plan = resolve_plan(parse("w400-h300-wm_logo_nw_50-text61_s_10_80"), PHOTO, PlanContext(watermark=Size(100, 20)))
    assert plan.overlays == (
        Overlay(None, Size(200, 40), "nw", 9, 100),
        Overlay("a", Size(40, 30), "s", 9, 80),
    )
