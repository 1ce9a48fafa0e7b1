"""Client hints: rounded to few steps, applied to `auto` alone, never over what a URL says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.recipe.client_hints import FIELDS, Hints, apply_hints, read_hints
from proxy.core.recipe.grammar import parse


@pytest.mark.parametrize(
    ("recipe", "fields", "becomes"),
    [
        ("w300-auto", {"sec-ch-dpr": "2"}, "w300-dpr2-auto"),
        ("w300-auto", {"dpr": "1.25"}, "w300-dpr1.5-auto"),
        ("w300-auto", {"dpr": "2.01"}, "w300-dpr3-auto"),
        ("w300-auto", {"dpr": "9"}, "w300-dpr3-auto"),
        ("w300-auto", {"dpr": "1"}, "w300-auto"),
        ("w300-auto", {"sec-ch-dpr": "1", "dpr": "3"}, "w300-auto"),
        ("w300-dpr1.2-auto", {"dpr": "3"}, "w300-dpr1.2-auto"),
        ("w300-webp", {"dpr": "3", "save-data": "on"}, "w300-webp"),
        ("auto", {"dpr": "3"}, "auto"),
        ("auto", {"width": "601"}, "w700-auto"),
        ("auto", {"sec-ch-width": "700"}, "w700-auto"),
        ("auto", {"width": "99999"}, "w8192-auto"),
        ("h200-auto", {"width": "601"}, "h200-auto"),
        ("auto", {"width": "333", "save-data": "on"}, "w400-qlow-auto"),
        ("w5000-auto", {"dpr": "2"}, "w5000-dpr1.5-auto"),
        ("w8000-auto", {"dpr": "2"}, "w8000-auto"),
        ("w3000-h3000-contain-auto", {"dpr": "3"}, "w3000-h3000-contain-dpr2-auto"),
        ("w300-auto", {"save-data": "on"}, "w300-qlow-auto"),
        ("w300-auto", {"save-data": "On "}, "w300-qlow-auto"),
        ("w300-auto", {"save-data": "off"}, "w300-auto"),
        ("w300-dpr2-q80-auto", {"save-data": "on", "dpr": "2"}, "w300-q48-auto"),
        ("w300-qbest-auto", {"save-data": "on"}, "w300-qgood-auto"),
        ("w300-dpr2-max40k-auto", {"save-data": "on"}, "w300-max40k-auto"),
    ],
)
def test_hints_become_a_recipe(recipe: str, fields: dict[str, str], becomes: str) -> None:
    assert str(apply_hints(parse(recipe), read_hints(tuple(fields.items())))) == becomes
    assert parse(becomes)


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "nan", "٣", "1.2.3", ".", "1" * 9, "2;q=1"])
def test_what_is_no_number_is_no_hint(text: str) -> None:
    assert read_hints((("dpr", text), ("width", text))) == Hints()


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
def test_any_hint_gives_a_recipe_with_one_spelling(fields: dict[str, str]) -> None:
    for recipe in ("auto", "w300-auto", "w300-h200-fp0.5_0.1-q20-auto"):
        becomes = str(apply_hints(parse(recipe), read_hints(tuple(fields.items()))))
        assert str(parse(becomes)) == becomes
