"""The option table: `str(parse(text)) == text`, every recipe has one canonical form, and faults are underlined."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import RecipeError
from proxy.core.recipe.grammar import ORDER, parse, without_default_fit
from proxy.core.recipe.options import OPTIONS, match_option
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
    ("", 0, "A recipe must have 1 to 1024 characters, for example w320-h180-webp."),
    ("w0", 0, "Option w must be between 1 and 8192."),
    ("w8193", 0, "Option w must be between 1 and 8192."),
    ("w320-h0", 5, "Option h must be between 1 and 8192."),
    ("w320--webp", 5, "An option is missing. Options are joined by a single hyphen."),
    ("-w320", 0, "An option is missing. Options are joined by a single hyphen."),
    ("w320-", 5, "An option is missing. Options are joined by a single hyphen."),
    ("w320-w640", 5, "Option w is given more than once."),
    (
        "jpeg-webp",
        5,
        "Specify only one of jpeg, webp, avif, png, gif, tiff, jxl, auto, json, blurhash, thumbhash, lqip.",
    ),
    ("w1-h1-cover-contain", 12, "Specify only one of cover, contain, fill, inside, outside."),
    ("jpg", 0, "Unknown option. Did you mean jpeg?"),
    ("jpeg1", 0, "Unknown option."),
    ("-".join(["w320"] * 205), 5, "Option w is given more than once."),
    ("w" * 1_025, 0, "A recipe must have 1 to 1024 characters, for example w320-h180-webp."),
    ("w320-wepb", 5, "Unknown option. Did you mean webp?"),
    (
        "w320-wm",
        5,
        "Unknown option. The nearest is wm_{name} (",
    ),
    (
        "w320-textzz",
        5,
        "Unknown option. The nearest is text{hex} (",
    ),
    (
        "w320-rot45",
        5,
        "Unknown option. The nearest is rot{90,180,270} (",
    ),
    ("w320-dpr1.25", 5, "Option dpr must be between 1.1 and 5, in steps of 0.1."),
    ("w320-dpr6", 5, "Option dpr must be between 1.1 and 5, in steps of 0.1."),
    ("w320-q101", 5, "Option q must be between 1 and 100."),
    ("w320-h180-fp1.1_0", 10, "Option fp takes fractions from 0 to 1."),
    ("w320-h180-fp0.12345_0", 10, "Option fp takes fractions with at most 4 decimal places."),
    ("crop0.5_0_0.6_1", 0, "The crop extends beyond the picture: left + width and top + height must not exceed 1."),
    ("crop0_0_0_10", 0, "The width and height of option crop must be above 0."),
    (
        "crop10_10_5",
        0,
        "Unknown option. The nearest is crop{x}_{y}_{w}_{h} (",
    ),
    (
        "w20-bgFF0000",
        4,
        "Unknown option. The nearest is bg{rrggbb[aa]} (",
    ),
    (
        "w20-bgff00",
        4,
        "Unknown option. The nearest is bg{rrggbb[aa]} (",
    ),
    (
        "w20-gmiddle",
        4,
        "Unknown option. The nearest is g{n ne e se s sw w nw smart entropy face} (",
    ),
    ("w320-ar0_9", 5, "Both numbers of option ar must be between 1 and 999."),
    ("ar16_9", 0, "Option ar requires exactly one of w and h."),
    ("w320-h180-ar16_9", 10, "Option ar requires exactly one of w and h."),
    ("w320-contain", 5, "A fit requires both sides: specify w and h, or one of them and ar."),
    ("fill-jpeg", 0, "A fit requires both sides: specify w and h, or one of them and ar."),
    ("inside-jpeg", 0, "Option inside requires w or h."),
    ("up-jpeg", 0, "Option up requires w or h."),
    ("dpr2-jpeg", 0, "Option dpr multiplies w and h: specify at least one of them."),
    ("w320-gn", 5, "Option g applies to a cover crop only: specify both sides and no other fit."),
    ("w320-h180-contain-gn", 18, "Option g applies to a cover crop only: specify both sides and no other fit."),
    ("w320-h180-inside-fp0.1_0.1", 17, "Option fp applies to a cover crop only: specify both sides and no other fit."),
    ("w320-h180-gn-fp0.1_0.1", 13, "Specify only one of g and fp."),
    ("still-frame2-gif", 0, "Specify only one of frame and still."),
    ("w320-blur0.2", 5, "Option blur must be between 0.3 and 100, in steps of 0.1."),
    ("w320-bri3.001", 5, "Option bri must be between 0 and 3, in steps of 0.01."),
    (
        "~Card",
        0,
        "Unknown option. The nearest is ~{name} (",
    ),
    ("page2-still", 6, "Specify only one of page and still."),
    ("w320-hue360", 5, "Option hue must be between 0 and 359."),
    (
        "w320-pad1_2",
        5,
        "Unknown option. The nearest is pad{n} (",
    ),
    ("w320-pad2001", 5, "Option pad must be between 0 and 2000."),
    ("w320-border0_ff0000", 5, "The width of option border must be between 1 and 500."),
    ("w320-wm_logo_se_0", 5, "The size of option wm must be between 1 and 100."),
    ("w320-textff", 5, "Option text takes the hexadecimal digits of UTF-8."),
    ("w320-text0a", 5, "Option text takes a single line of printable characters."),
    ("w320-text" + "61" * 201, 5, "Option text takes at most 200 bytes of UTF-8."),
    ("w320-q80-qgood", 9, "Specify only one of q{1…100} and q{low good best}."),
    ("w320-max20k-lossless-webp", 12, "Specify only one of max{n}k and lossless."),
    ("w320-lossless-jpeg", 5, "Option lossless requires webp, avif or jxl; png and tiff are always lossless."),
    ("w320-prog-webp", 5, "Option prog requires jpeg, png, gif or auto."),
    ("w320-q80-tiff", 5, "Format tiff is always lossless: it does not support a quality."),
    ("w320-json", 0, "Format json returns the facts of the original: it supports no option except dl."),
    ("w320-h200-json", 5, "Format json returns the facts of the original: it supports no option except dl."),
    ("w320-q80-blurhash", 5, "Format blurhash does not support option q{1…100}."),
    ("w３２０", 0, "Unknown option. The nearest is w{1…8192} ("),
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


@pytest.mark.parametrize("text", ["con1", "sat1-hue0", "crop0.0_0_1_1-pad0"])
def test_a_recipe_of_defaults_has_no_canonical_form(text: str) -> None:
    with pytest.raises(RecipeError, match=r"not in its canonical form") as refused:
        parse(text)
    assert refused.value.right is None


@pytest.mark.parametrize(
    ("text", "underlined"),
    [
        ("w0320-webp", "w0320"),
        ("w320-h0180-webp", "h0180"),
        ("w320-h180-q080-webp", "q080"),
        ("webp-w320", "webp"),
        ("w320-webp-q80", "webp"),
        ("w320-h180-cover-webp", "cover"),
        ("w320-h180-webp-dpr1", "dpr1"),
    ],
)
def test_the_first_option_that_is_not_canonical_is_underlined(text: str, underlined: str) -> None:
    with pytest.raises(RecipeError, match=r"not in its canonical form") as refused:
        parse(text)
    start = refused.value.start
    assert text[start : start + refused.value.length] == underlined


@pytest.mark.parametrize(("text", "start", "reason"), FAULTS)
def test_a_fault_is_underlined_and_explained(text: str, start: int, reason: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text)
    detail = refused.value.detail
    assert detail == reason or (reason.endswith(" (") and detail.startswith(reason) and detail.endswith(")."))
    assert refused.value.start == start
    excerpt, carets = refused.value.underlined.split("\n")
    assert carets.index("^") == start
    assert text.startswith(excerpt)


@given(recipes())
def test_printing_and_reading_are_inverse(recipe: Recipe) -> None:
    assert parse(str(recipe)) == recipe


@given(recipes(), st.randoms(use_true_random=False))
def test_any_order_of_the_same_options_has_the_same_canonical_form(recipe: Recipe, random: object) -> None:
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
        assert sum(option.pattern.fullmatch(token) is not None for option in OPTIONS) == 1
        assert match_option(token) is not None


def test_a_long_fault_is_shown_in_a_window() -> None:
    text = "-".join(["w320"] * 200)
    with pytest.raises(RecipeError) as refused:
        parse(text)
    assert len(refused.value.underlined) <= 321


def test_the_default_fit_is_removed() -> None:
    assert without_default_fit(Recipe(width=1, height=1, fit="cover")) == Recipe(width=1, height=1)
    assert without_default_fit(Recipe(width=1, dpr=Fraction(2), fit="inside")) == Recipe(width=1, dpr=Fraction(2))
