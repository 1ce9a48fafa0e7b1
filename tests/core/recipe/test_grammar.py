"""The option table, both ways: `str(parse(text)) == text`, one recipe has one spelling, faults are underlined."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import RecipeError
from proxy.core.recipe.grammar import ORDER, normal, parse
from proxy.core.recipe.options import ROWS, row_of
from proxy.core.recipe.recipe import Recipe
from tests.recipes import recipes

SPELLINGS = [
    "w320",
    "h180",
    "w320-h180",
    "w320-h180-webp",
    "w320-ar16_9-jpeg",
    "h180-ar4_3",
    "w320-h180-contain-bgff0000-png",
    "w320-h180-fill",
    "w320-h180-inside",
    "w320-h180-outside",
    "w320-up",
    "w320-dpr1.5",
    "w320-dpr2-avif",
    "w320-h180-gne",
    "w320-h180-gsmart",
    "w320-h180-gentropy-webp",
    "w320-h180-fp0.25_0.3333",
    "w320-h180-fp0_1",
    "crop10_20_300_400",
    "crop0.1_0_0.5_0.25-w100",
    "rot90-flip-flop-w100",
    "still-w100-gif",
    "frame3-w100-png",
    "w100-bg00ff0080-webp",
    "w100-q1",
    "w100-q100-jpeg",
    "auto",
    "jpeg",
    "webp",
    "avif",
    "png",
    "gif",
    "w8192-h8192",
    "~card",
    "~card-w640",
    "~card-cover",
    "page2-w300-png",
    "trim10-w300",
    "w300-blur2.5-sharpen1-pixelate8-bri1.2-con0.9-sat0-hue30-gamma2.2-gray-sepia-invert-tintff0000-duotone000000_ffffff",
    "w300-pad10-border2_ff0000-round20-bgffffff80-png",
    "w300-pad1_2_3_4-round-png",
    "w300-wm_logo-jpeg",
    "w300-wm_logo_ne_30_50-text48c3b66c6c6f_s-jpeg",
    "w300-qgood-auto",
    "w300-max40k-webp",
    "w300-lossless-webp",
    "w300-prog-keep-dl-jpeg",
    "w300-tiff",
    "json",
    "dl-json",
    "w300-h200-blurhash",
    "thumbhash",
    "lqip",
]

MISSPELLED = [
    ("webp-w320", "w320-webp"),
    ("h180-w320", "w320-h180"),
    ("w0320", "w320"),
    ("w320-q080", "w320-q80"),
    ("w320-inside", "w320"),
    ("w320-h180-cover", "w320-h180"),
    ("w320-ar16_9-cover-webp", "w320-ar16_9-webp"),
    ("w320-ar32_18", "w320-ar16_9"),
    ("w320-dpr2.0", "w320-dpr2"),
    ("w320-dpr1", "w320"),
    ("w320-dpr1.50", "w320-dpr1.5"),
    ("w320-h180-fp0.50_0.3", "w320-h180-fp0.5_0.3"),
    ("w320-h180-fp1.0_0", "w320-h180-fp1_0"),
    ("crop0.10_0_0.5_0.5", "crop0.1_0_0.5_0.5"),
    ("crop0.0_0_1_1-w20", "w20"),
    ("w20-bg112233ff", "w20-bg112233"),
    ("webp-q80-w320", "w320-q80-webp"),
    ("w320-con1", "w320"),
    ("w320-hue0", "w320"),
    ("w320-pad0", "w320"),
    ("w320-pad4_4_4_4", "w320-pad4"),
    ("w320-wm_logo_se_25_100", "w320-wm_logo"),
    ("w320-wm_logo_ne_25", "w320-wm_logo_ne"),
    ("w320-gray-blur2", "w320-blur2-gray"),
    ("w640-~card", "~card-w640"),
]

FAULTS = [
    ("", 0, "1 to"),
    ("w0", 0, "1…8192"),
    ("w8193", 0, "1…8192"),
    ("w320-h0", 5, "1…8192"),
    ("w320--webp", 5, "missing here"),
    ("-w320", 0, "missing here"),
    ("w320-", 5, "missing here"),
    ("w320-w640", 5, "said twice"),
    ("jpeg-webp", 5, "only one of"),
    ("w1-h1-cover-contain", 12, "only one of"),
    ("jpg", 0, "did you mean jpeg?"),
    ("w320-wepb", 5, "did you mean webp?"),
    ("w320-wm", 5, "the nearest is wm_{"),
    ("w320-textzz", 5, "the nearest is text{hex}"),
    ("w320-rot45", 5, "rot{90,180,270}"),
    ("w320-dpr1.25", 5, "steps of 0.1"),
    ("w320-dpr6", 5, "1.1…5"),
    ("w320-q101", 5, "q takes 1…100"),
    ("w320-h180-fp1.1_0", 10, "from 0 to 1"),
    ("w320-h180-fp0.12345_0", 10, "4 decimal places"),
    ("crop0.5_0_0.6_1", 0, "beyond the picture"),
    ("crop0_0_0_10", 0, "above 0"),
    ("crop10_10_5", 0, "crop{x}_{y}_{w}_{h}"),
    ("w20-bgFF0000", 4, "bg{rrggbb[aa]}"),
    ("w20-bgff00", 4, "bg{rrggbb[aa]}"),
    ("w20-gmiddle", 4, "unknown option"),
    ("w320-ar0_9", 5, "1…999"),
    ("ar16_9", 0, "goes with one of"),
    ("w320-h180-ar16_9", 10, "goes with one of"),
    ("w320-contain", 5, "needs both sides"),
    ("fill-jpeg", 0, "needs both sides"),
    ("inside-jpeg", 0, "inside needs"),
    ("up-jpeg", 0, "up needs"),
    ("dpr2-jpeg", 0, "dpr multiplies"),
    ("w320-gn", 5, "places a cover crop"),
    ("w320-h180-contain-gn", 18, "places a cover crop"),
    ("w320-h180-inside-fp0.1_0.1", 17, "places a cover crop"),
    ("w320-h180-gn-fp0.1_0.1", 13, "only one of g and fp"),
    ("still-frame2-gif", 0, "only one of frame and still"),
    ("w320-blur0.2", 5, "0.3…100"),
    ("w320-bri3.001", 5, "0…3 in steps of 0.01"),
    ("~Card", 0, "unknown option"),
    ("page2-still", 6, "only one of page and still"),
    ("w320-hue360", 5, "0…359"),
    ("w320-pad1_2", 5, "unknown option"),
    ("w320-pad2001", 5, "0…2000"),
    ("w320-border0_ff0000", 5, "1…500"),
    ("w320-wm_logo_se_0", 5, "1…100"),
    ("w320-textff", 5, "UTF-8"),
    ("w320-text0a", 5, "printable"),
    ("w320-text" + "61" * 201, 5, "200 bytes"),
    ("w320-q80-qgood", 9, "only one of q and q"),
    ("w320-max20k-lossless-webp", 12, "only one of max and lossless"),
    ("w320-lossless-jpeg", 5, "lossless goes with"),
    ("w320-prog-webp", 5, "prog goes with"),
    ("w320-q80-tiff", 5, "without loss"),
    ("w320-json", 0, "json tells"),
    ("w320-q80-blurhash", 5, "not written like a picture"),
    ("w３２０", 0, "unknown option"),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_canonical_recipe_reads_and_prints_as_itself(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(("text", "right"), MISSPELLED)
def test_a_misspelled_recipe_is_refused_with_its_right_spelling(text: str, right: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text)
    assert refused.value.right == right
    assert str(parse(right)) == right


@pytest.mark.parametrize(("text", "start", "why"), FAULTS)
def test_a_fault_is_underlined_and_said(text: str, start: int, why: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text)
    assert why in refused.value.detail
    assert refused.value.start == start
    shown, carets = refused.value.underlined.split("\n")
    assert carets.index("^") == start
    assert text.startswith(shown)


@given(recipes())
def test_printing_and_reading_are_inverse(recipe: Recipe) -> None:
    assert parse(str(recipe)) == recipe


@given(recipes(), st.randoms(use_true_random=False))
def test_any_order_of_the_same_options_is_told_the_same_spelling(recipe: Recipe, random: object) -> None:
    tokens = str(recipe).split("-")
    random.shuffle(tokens)  # type: ignore[attr-defined]
    shuffled = "-".join(tokens)
    if shuffled == str(recipe):
        assert parse(shuffled) == recipe
        return
    with pytest.raises(RecipeError) as refused:
        parse(shuffled)
    assert refused.value.right == str(recipe)


@given(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789._~-whqgrot"), max_size=40))
def test_any_text_is_read_or_refused_with_a_fault(text: str) -> None:
    try:
        recipe = parse(text)
    except RecipeError as fault:
        assert 0 <= fault.start <= len(text)
        if fault.right is not None:
            assert str(parse(fault.right)) == fault.right
    else:
        assert str(recipe) == text


def test_every_recipe_field_has_one_row_in_the_same_order() -> None:
    assert tuple(field.name for field in dataclasses.fields(Recipe)) == ORDER


@given(recipes())
def test_no_option_fits_two_rows(recipe: Recipe) -> None:
    for token in str(recipe).split("-"):
        assert sum(row.shape.fullmatch(token) is not None for row in ROWS) == 1
        assert row_of(token) is not None


def test_a_long_fault_is_shown_in_a_window() -> None:
    text = "-".join(["w320"] * 200)
    with pytest.raises(RecipeError) as refused:
        parse(text)
    assert len(refused.value.underlined) <= 321


def test_the_default_fit_says_nothing() -> None:
    assert normal(Recipe(width=1, height=1, fit="cover")) == Recipe(width=1, height=1)
    assert normal(Recipe(width=1, dpr=Fraction(2), fit="inside")) == Recipe(width=1, dpr=Fraction(2))
