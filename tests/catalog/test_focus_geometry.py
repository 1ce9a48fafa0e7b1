"""The focal point of an original stays in the middle, however a recipe crops and turns it."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest

from catalog.core.focus_geometry import FocalPoint
from catalog.images.focal_points import find_focal_point, set_focus
from catalog.records.database import Database
from catalog.records.render_records import SqlRenderRecords
from proxy.core.geometry import Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PNG
from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Focus
from tests.catalog.samples import principal_of
from tests.catalog.services import create_tenant
from tests.catalog.test_render_records import ACME, rendered

Grid = Sequence[Sequence[tuple[int, int]]]
"""Rows of pixels; each pixel is its position in the upright original."""

FACTS = Facts(PNG, 40, 30)
PIXEL = 12, 21
POINT = FocalPoint(Focus(Fraction("0.3125"), Fraction("0.7167")), FACTS.upright)
TURNS = [
    "-".join(filter(None, words)) for words in product(("", "rot90", "rot180", "rot270"), ("", "flip"), ("", "flop"))
]
"""Every spelling of all eight."""


def cropped_and_turned(recipe: Recipe) -> Grid:
    """Crop and turn pixel by pixel, the slow way, in the order the contract says."""
    left, top, width, height = 0, 0, FACTS.width, FACTS.height
    if recipe.crop:
        sides = (recipe.crop.left, recipe.crop.top, recipe.crop.width, recipe.crop.height)
        scales = (FACTS.width, FACTS.height) * 2 if recipe.crop.relative else (1,) * 4
        left, top, width, height = (int(side * by) for side, by in zip(sides, scales, strict=True))
    rows: Grid = [[(x, y) for x in range(left, left + width)] for y in range(top, top + height)]
    for _ in range((recipe.rot or 0) // 90):
        rows = list(zip(*rows[::-1], strict=True))
    rows = rows[::-1] if recipe.flip else rows
    return [row[::-1] for row in rows] if recipe.flop else rows


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("crop", ["", "crop5_7_31_20", "crop0.1_0.2_0.5_0.7"])
def test_the_same_pixel_is_in_the_middle_after_every_crop_and_turn(crop: str, turn: str) -> None:
    moved = "-".join(filter(None, (crop, turn)))
    rows = cropped_and_turned(parse(moved) if moved else Recipe())
    columns = list(zip(*rows, strict=True))
    for box, lines in ((f"w5-h{len(rows)}", columns), (f"w{len(columns)}-h5", rows)):
        recipe = parse(f"{moved}-{box}".strip("-"))
        focus = POINT.after(recipe)
        assert focus is not None
        cut = resolve_plan(parse(f"{recipe}-fp{float(focus.x):g}_{float(focus.y):g}"), FACTS).cut
        assert cut is not None
        assert PIXEL in lines[(cut.left if lines is columns else cut.top) + 2]


@pytest.mark.parametrize(
    ("crop", "point"),
    [
        ("crop0.5_0.8_0.5_0.2", (0, 0)),
        ("crop0_0_0.2_0.5", (1, 1)),
        ("crop20_0_20_30", (0, Fraction("0.7167"))),
        ("crop0_0_40_10", (Fraction("0.3125"), 1)),
    ],
)
def test_a_point_outside_the_crop_is_at_its_edge(crop: str, point: tuple[Fraction, Fraction]) -> None:
    assert POINT.after(parse(f"{crop}-w5-h5")) == Focus(*point)


@pytest.mark.parametrize("recipe", ["trim10-w5-h5", "page2-crop5_7_31_20-w5-h5", "frame2-crop5_7_31_20-w5-h5"])
def test_what_only_pixels_tell_has_no_point(recipe: str) -> None:
    assert POINT.after(parse(recipe)) is None


def test_fractions_are_the_same_on_every_page() -> None:
    assert POINT.after(parse("page2-crop0.1_0.2_0.5_0.7-w5-h5")) == POINT.after(parse("crop0.1_0.2_0.5_0.7-w5-h5"))


async def test_a_focal_point_is_of_the_upright_original(database: Database) -> None:
    """The record holds the sides as stored, and EXIF orientation turns them."""
    await create_tenant(database, ACME)
    render = rendered()
    await SqlRenderRecords(database).record([render])
    assert await find_focal_point(database, ACME, render.original) is None
    await set_focus(database, principal_of(), render.original, "0.3_0.6")
    point = Focus(Fraction("0.3"), Fraction("0.6"))
    assert await find_focal_point(database, ACME, render.original) == FocalPoint(point, Size(300, 400))
    await set_focus(database, principal_of(), render.original, "0.5_0.5")
    assert await find_focal_point(database, ACME, render.original) is None
