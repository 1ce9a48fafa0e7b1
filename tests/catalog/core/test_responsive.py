"""Candidates of a srcset say what comes out, and there is one for each size that comes out."""

from dataclasses import replace

import pytest

from catalog.core.responsive import RenditionPlanner
from proxy.core.errors import LimitExceeded, RecipeError
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.facts import Facts
from proxy.core.media.formats import GIF, JPEG, TIFF
from proxy.core.planning.limits import Limits
from proxy.core.planning.planner import Capabilities
from proxy.core.recipe.grammar import parse
from proxy.core.tenant import Tenant, Watermark

PRESETS = {"card": parse("w400-h300-auto"), "wide": parse("w1000-ar2_1-webp"), "tall": parse("h500-webp")}
MARKS = {"logo": Watermark(Digest("0" * 64), Size(80, 40))}
ACME = Tenant(TenantName("acme"), (), limits=Limits(output_side=2_000), presets=PRESETS, watermarks=MARKS)
PHOTO = Facts(JPEG, 1_500, 1_000)


def planner(facts: Facts = PHOTO) -> RenditionPlanner:
    return RenditionPlanner(ACME, facts, Capabilities())


def srcset(recipe: str, *widths: int, facts: Facts = PHOTO) -> list[tuple[str, str]]:
    found = planner(facts).candidates(parse(recipe), widths)
    return [(str(candidate.rendition.recipe), candidate.descriptor) for candidate in found]


@pytest.mark.parametrize(
    ("recipe", "size", "format_name"),
    [
        ("~card", Size(400, 300), "auto"),
        ("~card-wm_logo-png", Size(400, 300), "png"),
        ("w300-avif", Size(300, 200), "avif"),
        ("rot90-w300-avif", Size(300, 450), "avif"),
        ("jpeg", Size(1_500, 1_000), "jpeg"),
        ("w20", Size(20, 13), "jpeg"),
        ("w300-pad10-webp", Size(320, 220), "webp"),
        ("trim10-w300-webp", None, "webp"),
        ("json", None, "json"),
        ("blurhash", None, "blurhash"),
        ("lqip", Size(32, 21), "webp"),
    ],
)
def test_a_rendition_has_the_size_that_comes_out(recipe: str, size: Size | None, format_name: str) -> None:
    rendition = planner().plan(parse(recipe))
    assert (rendition.size, rendition.format) == (size, format_name)


def test_sides_are_those_of_the_upright_image() -> None:
    assert planner(replace(PHOTO, orientation=6)).plan(parse("w100-webp")).size == Size(100, 150)


def test_a_later_page_may_have_another_size() -> None:
    pages = Facts(TIFF, 600, 400, frames=3)
    assert planner(pages).plan(parse("page2-w300-webp")).size is None
    assert planner(pages).plan(parse("page1-w300-webp")).size == Size(300, 200)


@pytest.mark.parametrize(
    ("recipe", "widths", "expected"),
    [
        ("~card", (), [("~card", "1x"), ("~card-dpr2", "2x"), ("~card-dpr3", "3x")]),
        ("w700-h400", (), [("w700-h400", "1x"), ("w700-h400-dpr2", "2x"), ("w700-h400-dpr3", "2.14x")]),
        ("w1500-h1000-webp", (), [("w1500-h1000-webp", "1x")]),
        ("w300-h200-dpr2-webp", (), [("w300-h200-dpr2-webp", "1x")]),
        ("w333-webp", (), [("w333-webp", "1x"), ("w333-dpr2-webp", "2x"), ("w333-dpr3-webp", "3x")]),
        ("trim9-w300", (), [("trim9-w300", "1x"), ("trim9-w300-dpr2", "2x"), ("trim9-w300-dpr3", "3x")]),
        ("webp", (), [(f"w{w}-webp", f"{min(w, 1_500)}w") for w in (320, 640, 960, 1_280, 1_920)]),
        ("~card", (800, 200, 800), [("~card-w200-h150", "200w"), ("~card-w800-h600", "800w")]),
        ("~card", (1_300, 1_400, 1_900), [("~card-w1300-h975", "1300w")]),
        ("~card", (1_400, 1_900), [("~card-w1400-h1050", "1400w")]),
        ("~wide", (500, 100), [("~wide-w100", "100w"), ("~wide-w500", "500w")]),
        ("~tall", (375, 750), [("~tall-h250", "375w"), ("~tall-h500", "750w")]),
        ("auto", (100,), [("w100-auto", "100w")]),
        ("blurhash", (100,), []),
        ("lqip", (), []),
    ],
)  # fmt: skip
def test_candidates(recipe: str, widths: tuple[int, ...], expected: list[tuple[str, str]]) -> None:
    assert srcset(recipe, *widths) == expected


def test_a_width_that_was_given_and_is_over_a_limit_is_refused_and_a_usual_one_left_out() -> None:
    large = Facts(JPEG, 6_000, 4_000)
    with pytest.raises(LimitExceeded):
        srcset("webp", 900, 3_000, facts=large)
    possible = planner(large).candidates(parse("webp"), (900, 3_000), skip_refused=True)
    assert [candidate.descriptor for candidate in possible] == ["900w"]
    assert srcset("w900-webp", facts=large) == [("w900-webp", "1x"), ("w900-dpr2-webp", "2x")]


def test_faults_are_refused() -> None:
    for recipe in ("~nothing", "wm_nothing-w5"):
        with pytest.raises(RecipeError):
            planner().plan(parse(recipe))
    with pytest.raises(LimitExceeded):
        planner(Facts(GIF, 100, 100, frames=2)).plan(parse("frame3-w5"))
