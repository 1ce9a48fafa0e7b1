"""Requests of the planner for information that it requires: the facts of a page, and the box inside a border."""

import pytest

from proxy.core.geometry import Box, Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import GIF, JPEG, PNG, TIFF
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse


def test_a_plan_without_the_pixels_keeps_the_border() -> None:
    assert resolve_plan(parse("crop10_20_30_40-trim10"), Facts(JPEG, 3000, 2000)).crop == Box(10, 20, 30, 40)


def test_only_a_paged_original_is_asked_for_a_page() -> None:
    assert plan_render(parse("page2"), Facts(TIFF, 30, 20, frames=3), PlanContext()) == Page(1)
    assert isinstance(plan_render(parse("page2"), Facts(TIFF, 30, 20, frames=3, page=1), PlanContext()), Plan)
    assert isinstance(plan_render(parse("page2"), Facts(GIF, 30, 20, frames=3), PlanContext()), Plan)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (29, 0)), (3, (29, 19)), (4, (0, 19)), (5, (0, 0)), (6, (0, 19)), (7, (29, 19)), (8, (29, 0))],
)
def test_a_trim_compares_with_the_upright_corner(orientation: int, corner: tuple[int, int]) -> None:
    facts = Facts(JPEG, 30, 20, orientation=orientation)
    assert plan_render(parse("trim9"), facts, PlanContext()) == Trim(JPEG, 0, Box(0, 0, 30, 20), corner, 9)


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
