"""Ladders of unsigned presets: exactly the listed sizes, in exactly one spelling."""

from fractions import Fraction

import pytest

from proxy.core.errors import RecipeError
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.presets import NO_LADDER, Ladder, is_unsigned, parse_ladder, suffixes

LADDER = Ladder((320, 640), (Fraction(3, 2), Fraction(2)))
UNSIGNED = {"card": LADDER, "icon": NO_LADDER}


@pytest.mark.parametrize(
    "recipe",
    [
        "~card",
        "~icon",
        "~card-w320",
        "~card-w640",
        "~card-dpr1.5",
        "~card-dpr2",
        "~card-w320-dpr1.5",
        "~card-w640-dpr2",
    ],
)
def test_listed_sizes_are_unsigned(recipe: str) -> None:
    assert str(parse(recipe)) == recipe
    assert is_unsigned(recipe, UNSIGNED)


@pytest.mark.parametrize(
    "recipe",
    [
        *("", "~", "-", "card", "~~card", "~other", "~Card", " ~card", "~card ", "~card-", "~card--w640"),
        *("~card-w641", "~card-w0640", "~card-w640-", "~card-w640-w320", "~card-w640-h480", "~card-w640-webp"),
        *("~card-dpr2-w640", "~card-dpr2.0", "~card-dpr3", "~card-dpr1.5-dpr2", "~card-w640-dpr2-q90"),
        *("~icon-w320", "~icon-dpr2", "w640", "~card-w６４０"),
    ],
)
def test_nothing_else_is_unsigned(recipe: str) -> None:
    assert not is_unsigned(recipe, UNSIGNED)


def test_a_ladder_is_sorted_without_repetitions() -> None:
    assert parse_ladder(["640", "320", "640"], ["2", "1.5"]) == LADDER
    assert parse_ladder([], []) == NO_LADDER
    assert LADDER.dpr_texts == ["1.5", "2"]


@pytest.mark.parametrize(
    "width", ["", "0", "8193", "0640", "640.0", "-1", "640-h480", "640-dpr2", "auto", "~", "6" * 99]
)
def test_a_width_the_option_does_not_take_is_refused(width: str) -> None:
    with pytest.raises(RecipeError):
        parse_ladder([width], [])


@pytest.mark.parametrize("dpr", ["", "0", "1", "2.0", "5.1", "1.25", "2-q80", "1.5-webp", "two"])
def test_a_ratio_the_option_does_not_take_is_refused(dpr: str) -> None:
    with pytest.raises(RecipeError):
        parse_ladder([], [dpr])


def test_a_ladder_is_bounded() -> None:
    widths, dprs = [str(width) for width in range(1, 33)], ["1.1", "1.2", "1.3", "1.4", "1.5", "2", "3", "4"]
    assert len(suffixes(parse_ladder(widths, dprs))) == 33 * 9
    with pytest.raises(ValueError, match="32 widths and 8 ratios"):
        parse_ladder([*widths, "33"], [])
    with pytest.raises(ValueError, match="32 widths and 8 ratios"):
        parse_ladder([], [*dprs, "5"])
