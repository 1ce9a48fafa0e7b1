"""The planner: sizes and boxes that were computed by hand, and limits that are reported with their numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, FORMATS, GIF, JPEG, JXL, PDF, PNG, SVG, TEXTS, TIFF, WEBP, Format
from proxy.core.planning.limits import Limits, check_source
from proxy.core.planning.plan import Colour, Overlay, Plan, Trim
from proxy.core.planning.planner import PlanContext, plan_render, resolve_plan
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


@pytest.mark.parametrize(
    ("recipe", "source", "output", "first", "frames"),
    [
        ("w10", GIF, GIF, 0, 7),
        ("w10-webp", GIF, WEBP, 0, 7),
        ("w10-gif", WEBP, GIF, 0, 7),
        ("w10-jpeg", GIF, JPEG, 0, 1),
        ("still-w10", GIF, GIF, 0, 1),
        ("frame3-w10", GIF, GIF, 2, 1),
        ("frame7-w10-png", GIF, PNG, 6, 1),
        ("w10-auto", GIF, GIF, 0, 7),
        ("still-w10-auto", GIF, JPEG, 0, 1),
    ],
)
def test_animated_in_animated_out(recipe: str, source: object, output: object, first: int, frames: int) -> None:
    plan = plan_of(recipe, Facts(source, 100, 50, frames=7))  # type: ignore[arg-type]
    assert (plan.encoding.format, plan.first_frame, plan.frames) == (output, first, frames)


@pytest.mark.parametrize(
    ("recipe", "facts", "limits", "number"),
    [
        ("w10", Facts(PNG, 1000, 1000), Limits(source_pixels=999_999), "1000000"),
        ("w10", Facts(PNG, 10, 101), Limits(source_side=100), "10×101; the limit of the longer side is 100"),
        ("w10", Facts(GIF, 10, 10, frames=11), Limits(source_frames=10), "11 frames"),
        ("w10", Facts(GIF, 100, 100, frames=11), Limits(animation_pixels=100_000), "110000"),
        ("frame4", Facts(GIF, 10, 10, frames=3), LIMITS, "has 3"),
        ("crop0_0_11_10", Facts(PNG, 10, 10), LIMITS, "10×10"),
        ("w5000-up-dpr2", PHOTO, LIMITS, "8192"),
        ("jpeg", Facts(PNG, 9000, 10), LIMITS, "8192"),
        ("w8000-h8000-up", PHOTO, LIMITS, "50000000"),
        ("w4000-h3000-up-avif", PHOTO, LIMITS, "8000000"),
        ("w601-avif", PHOTO, Limits(avif_side=600), "the longest side is 600"),
        ("w100-gif", Facts(GIF, 100, 100, frames=50), Limits(gif_pixels=499_999), "500000 pixels; the limit is 499999"),
        ("w10-h8192-up", Facts(PNG, 8000, 10), LIMITS, "before it is cropped"),
        ("trim10-w100", Facts(PNG, 10_000, 5_001), LIMITS, "A trim requires 50010000 pixels"),
        ("crop0_0_9_9-trim10", Facts(PDF, 10_000, 5_001), LIMITS, "50010000"),
        ("crop0_0_9_9", Facts(PDF, 10_000, 5_001), LIMITS, "A crop of a vector picture requires 50010000"),
        ("w4000-h4000-up-q80-png", PHOTO, LIMITS, "the limit is 12000000"),
        ("w100", Facts(GIF, 100, 100, frames=50), Limits(output_pixels=499_999), "500000"),
    ],
)
def test_over_a_limit_the_number_is_told(recipe: str, facts: Facts, limits: Limits, number: str) -> None:
    with pytest.raises(LimitExceeded, match=number):
        resolve_plan(parse(recipe), facts, PlanContext(limits))


def test_auto_leaves_avif_where_its_budget_ends() -> None:
    plan = resolve_plan(parse("auto"), Facts(JPEG, 4000, 3000), PlanContext(LIMITS, "avif"))
    assert plan.encoding.format is WEBP
    assert (
        resolve_plan(parse("w400-auto"), Facts(JPEG, 4000, 3000), PlanContext(LIMITS, "avif")).encoding.format is AVIF
    )
    narrow = PlanContext(Limits(avif_side=399), "avif")
    assert resolve_plan(parse("w400-auto"), Facts(JPEG, 4000, 3000), narrow).encoding.format is WEBP
    assert resolve_plan(parse("w399-auto"), Facts(JPEG, 4000, 3000), narrow).encoding.format is AVIF


def test_a_placeholder_is_small_with_all_that_is_around_it() -> None:
    for recipe in ("w100-h100-pad20-lqip", "w10-h10-pad2000-lqip", "w10-h10-pad500-border9_000000-thumbhash"):
        assert plan_of(recipe, Facts(PNG, 150, 120)).size.longest <= (32 if "lqip" in recipe else 100)


@pytest.mark.parametrize("recipe", ["lqip", "blurhash", "thumbhash", "w100-lqip"])
def test_a_placeholder_stands_still(recipe: str) -> None:
    assert plan_of(recipe, Facts(GIF, 100, 50, frames=7)).frames == 1


@pytest.mark.parametrize(("background", "output"), [("", PNG), ("bgffffff-", JPEG), ("bgffffff80-", PNG)])
def test_auto_needs_no_png_where_nothing_transparent_is_left(background: str, output: Format) -> None:
    assert plan_of(f"w100-{background}auto", Facts(PNG, 200, 100, alpha=True)).encoding.format is output


def test_what_cannot_be_kept_as_it_is_keeps_its_transparency() -> None:
    assert plan_of("w100", Facts(JXL, 200, 100, alpha=True)).encoding.format is PNG
    assert plan_of("w100", Facts(JXL, 200, 100)).encoding.format is JPEG


@pytest.mark.parametrize("source", [GIF, TIFF])
def test_a_budget_with_a_format_that_cannot_shrink_is_refused(source: Format) -> None:
    with pytest.raises(LimitExceeded, match="Use webp"):
        plan_of("w100-max20k", Facts(source, 200, 100))
    assert plan_of("w100-max20k", Facts(PNG, 200, 100)).encoding.budget_bytes == 20 * 1024


facts_in_reach = st.builds(
    Facts,
    format=st.sampled_from([one for one in FORMATS.values() if one not in (AVIF, *TEXTS)]),
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
        shown = plan.cut.size if plan.cut else turned
        assert plan.canvas.left + shown.width <= plan.canvas.width
        assert plan.canvas.top + shown.height <= plan.canvas.height
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
    assert [(one.name, one.numbers) for one in plan.effects] == [
        ("blur", (3.0,)),
        ("brightness", (1.2,)),
        ("hue", (30.0,)),
        ("gray", ()),
        ("duotone", (0.0, 0.0, 0.0, 10.0, 11.0, 12.0)),
    ]


def test_a_trim_asks_first_and_plans_what_is_left() -> None:
    facts = Facts(PNG, 300, 200, orientation=6)
    question = plan_render(parse("trim10-w50"), facts, PlanContext())
    assert question == Trim(PNG, 0, Box(0, 0, 300, 200), (0, 199), 10)
    plan = plan_render(parse("trim10-w50"), facts, PlanContext(), Box(100, 50, 100, 50))
    assert isinstance(plan, Plan)
    assert (plan.crop, plan.size) == (Box(100, 50, 100, 50), Size(50, 100))


def test_a_trim_looks_within_the_crop() -> None:
    question = plan_render(parse("crop10_20_30_40-trim10"), Facts(PNG, 300, 200), PlanContext())
    assert question == Trim(PNG, 0, Box(10, 20, 30, 40), (0, 0), 10)
    plan = plan_render(parse("crop10_20_30_40-trim10"), Facts(PNG, 300, 200), PlanContext(), Box(1, 2, 3, 4))
    assert isinstance(plan, Plan)
    assert plan.crop == Box(11, 22, 3, 4)


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ("blurhash", Size(32, 21)),
        ("thumbhash", Size(100, 67)),
        ("lqip", Size(32, 21)),
        ("w640-h640-lqip", Size(32, 32)),
        ("w16-lqip", Size(16, 11)),
        ("w640-pad64-lqip", Size(32, 23)),
    ],
)
def test_a_placeholder_is_the_same_picture_with_fewer_pixels(recipe: str, size: Size) -> None:
    assert plan_of(recipe).size == size


def test_a_watermark_and_a_text_fit_into_their_share() -> None:
    plan = resolve_plan(parse("w400-h300-wm_logo_nw_50-text61_s_10_80"), PHOTO, PlanContext(watermark=Size(100, 20)))
    assert plan.overlays == (
        Overlay(None, Size(200, 40), "nw", 9, 100),
        Overlay("a", Size(40, 30), "s", 9, 80),
    )


@pytest.mark.parametrize(("source", "becomes"), [(SVG, "png"), (PDF, "png"), (TIFF, "tiff"), (JPEG, "jpeg")])
def test_what_cannot_be_written_becomes_what_can(source: Format, becomes: str) -> None:
    assert plan_of("w300", Facts(source, 3000, 2000)).encoding.format.name == becomes


def test_a_vector_is_drawn_at_the_size_that_is_needed() -> None:
    assert plan_of("w300", Facts(SVG, 3000, 2000)).load == Size(300, 200)
    assert plan_of("crop0_0_100_100-w50", Facts(SVG, 3000, 2000)).load is None


def test_pages_are_counted_and_do_not_move() -> None:
    plan = plan_of("page3", Facts(TIFF, 30, 20, frames=3))
    assert (plan.first_frame, plan.frames) == (2, 1)
    assert plan_of("w10-webp", Facts(TIFF, 30, 20, frames=3)).frames == 1
    with pytest.raises(LimitExceeded, match="Page 4"):
        plan_of("page4", Facts(TIFF, 30, 20, frames=3))


@pytest.mark.parametrize(
    ("recipe", "untouched"), [("jpeg", True), ("dl-jpeg", True), ("webp", False), ("q80-jpeg", False)]
)
def test_an_original_may_stay_as_it_is_where_nothing_is_asked(recipe: str, untouched: bool) -> None:
    assert plan_of(recipe).untouched is untouched


def test_an_upload_is_held_to_the_same_limits() -> None:
    check_source(PHOTO, LIMITS)
    with pytest.raises(LimitExceeded):
        check_source(Facts(PNG, 65_536, 65_536), LIMITS)
