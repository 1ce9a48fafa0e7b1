"""The output of a plan: format, frames, encoder, colours and placeholders."""

import pytest

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import (
    ALWAYS_WRITTEN,
    AVIF,
    GIF,
    JPEG,
    JXL,
    PDF,
    PNG,
    SVG,
    TIFF,
    WEBP,
    Format,
)
from proxy.core.planning.limits import Limits
from proxy.core.planning.negotiation import Client
from proxy.core.planning.plan import Effect, Plan
from proxy.core.planning.planner import Capabilities, PlanContext, resolve_plan
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.grammar import parse

PHOTO = Facts(JPEG, 3000, 2000)
LIMITS = Limits()


def plan_of(recipe: str, facts: Facts = PHOTO, limits: Limits = LIMITS) -> Plan:
    return resolve_plan(parse(recipe), facts, PlanContext(limits))


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
        ("page2-w10", GIF, GIF, 1, 1),
    ],
)
def test_animated_in_animated_out(recipe: str, source: object, output: object, first: int, frames: int) -> None:
    plan = plan_of(recipe, Facts(source, 100, 50, frames=7))  # type: ignore[arg-type]
    assert (plan.encoding.format, plan.first_frame, plan.frames) == (output, first, frames)


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


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ("blurhash", Size(32, 21)),
        ("thumbhash", Size(100, 67)),
        ("lqip", Size(32, 21)),
        ("w640-h640-lqip", Size(32, 32)),
        ("w16-lqip", Size(16, 11)),
        ("w640-pad64-lqip", Size(32, 23)),
        ("h640-lqip", Size(32, 21)),
        ("w16-dpr2-lqip", Size(32, 21)),
    ],
)
def test_a_placeholder_is_the_same_picture_with_fewer_pixels(recipe: str, size: Size) -> None:
    assert plan_of(recipe).size == size


@pytest.mark.parametrize(("source", "becomes"), [(SVG, "png"), (PDF, "png"), (TIFF, "tiff"), (JPEG, "jpeg")])
def test_what_cannot_be_written_becomes_what_can(source: Format, becomes: str) -> None:
    assert plan_of("w300", Facts(source, 3000, 2000)).encoding.format.name == becomes


def test_a_vector_is_drawn_at_the_size_that_is_needed() -> None:
    assert plan_of("w300", Facts(SVG, 3000, 2000)).load == Size(300, 200)
    assert plan_of("crop0_0_100_100-w50", Facts(SVG, 3000, 2000)).load is None
    assert plan_of("w300").load is None


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ("w300-h300-fill", Size(450, 300)),
        ("w300-h100-fill", Size(300, 200)),
        ("w8000-h10-fill-up", Size(8000, 5333)),
        ("w10-h6000-fill-up", Size(10, 7)),
        ("w6000-h5000-fill-up", Size(7500, 5000)),
        ("w7000-h6000-fill-up", Size(7000, 4667)),
    ],
)
def test_a_stretched_vector_is_drawn_so_that_no_side_is_enlarged(recipe: str, size: Size) -> None:
    """The exception is a drawing of more than 50 megapixels."""
    assert plan_of(recipe, Facts(SVG, 3000, 2000), Limits(output_pixels=200_000_000)).load == size


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


def test_a_single_frame_is_not_animated() -> None:
    assert plan_of("w10-auto", Facts(GIF, 100, 50)).encoding.format is JPEG


def test_auto_is_an_avif_up_to_its_budget() -> None:
    for limit, output in ((60_000, AVIF), (59_999, WEBP)):
        context = PlanContext(Limits(avif_pixels=limit), "avif")
        assert resolve_plan(parse("w300-auto"), PHOTO, context).encoding.format is output


def test_without_a_context_the_defaults_apply() -> None:
    assert resolve_plan(parse("w300"), PHOTO) == plan_of("w300")


def test_faces_require_a_detector() -> None:
    with pytest.raises(LimitExceeded, match=r"Face detection is disabled\. Set DARKROOM_FACES=true, or use gsmart\."):
        plan_of("w100-h100-gface")
    context = PlanContext(capabilities=Capabilities(faces=True))
    assert resolve_plan(parse("w100-h100-gface"), PHOTO, context).interest == "face"
    assert plan_of("w100-h100-gsmart").interest == "smart"
    assert plan_of("w100-h100-gw").interest is None


def test_an_optional_format_has_to_be_enabled() -> None:
    with pytest.raises(LimitExceeded, match=r"Writing jxl is disabled\. Add it to DARKROOM_FORMATS, or use avif\."):
        plan_of("w100-jxl")
    context = PlanContext(capabilities=Capabilities((*ALWAYS_WRITTEN, JXL)))
    assert resolve_plan(parse("w100-jxl"), PHOTO, context).encoding.format is JXL


@pytest.mark.parametrize(
    ("recipe", "facts", "client", "enabled", "wide"),
    [
        ("w100-webp", Facts(JPEG, 300, 200, icc=True), "base", True, True),
        ("w100-webp", Facts(PNG, 300, 200, wide=True), "base", True, True),
        ("w100-webp", Facts(JPEG, 300, 200, icc=True), "base", False, False),
        ("w100-webp", Facts(JPEG, 300, 200), "base", True, False),
        ("w100-gif", Facts(JPEG, 300, 200, icc=True), "base", True, False),
        ("w100-auto", Facts(JPEG, 300, 200, icc=True), "base", True, False),
        ("w100-auto", Facts(JPEG, 300, 200, icc=True), "webp", True, True),
    ],
)
def test_wide_colours_are_preserved_where_format_and_client_support_them(
    recipe: str, facts: Facts, client: Client, enabled: bool, wide: bool
) -> None:
    context = PlanContext(client=client, rendering=RenderingOptions(wide_gamut=enabled))
    plan = resolve_plan(parse(recipe), facts, context)
    assert (plan.wide_gamut, plan.encoding.profile) == (wide, wide)


def test_a_reduction_is_sharpened_if_the_tenant_asks_for_it() -> None:
    context = PlanContext(rendering=RenderingOptions(sharpen_downscaled=True))
    sharpened = [
        resolve_plan(parse(text), PHOTO, context).sharpen_downscaled for text in ("w2999", "w3000", "w3001-up")
    ]
    assert sharpened == [True, False, False]
    assert not plan_of("w300").sharpen_downscaled
    assert resolve_plan(parse("w9"), PHOTO, PlanContext(rendering=RenderingOptions(linear_light=True))).linear_light
    assert not plan_of("w300").linear_light


def test_a_blurred_placeholder_has_a_low_quality() -> None:
    assert plan_of("lqip").effects == (Effect("blur", (1.0,)),)
    assert plan_of("lqip").encoding.quality == 40
    assert plan_of("w300").effects == ()
    assert plan_of("blurhash").encoding.quality is None


def test_rounded_corners_are_filled_only_without_transparency() -> None:
    assert plan_of("w300-round20-bg102030-png").outside is None
    assert plan_of("w300-bg102030-jpeg").outside is None
