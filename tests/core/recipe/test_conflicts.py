"""Presets: the options of a recipe override those of its preset, and those that exclude them."""

import pytest

from proxy.core.errors import RecipeError
from proxy.core.recipe.grammar import expand, parse

CARD = parse("w400-h300-webp")


@pytest.mark.parametrize(
    ("preset", "recipe", "expanded"),
    [
        ("w400-h300-webp", "~card", "w400-h300-webp"),
        ("w400-h300-webp", "~card-w640", "w640-h300-webp"),
        ("w400-h300-webp", "~card-avif", "w400-h300-avif"),
        ("w400-webp", "~card-inside", "w400-webp"),
        ("w400-h300-contain-webp", "~card-cover", "w400-h300-webp"),
        ("w400-h300-gn-webp", "~card-fp0.5_0.1", "w400-h300-fp0.5_0.1-webp"),
        ("w400-h300-fp0.5_0.1-webp", "~card-gn", "w400-h300-gn-webp"),
        ("w400-webp", "~card-fp0.5_0.1", "w400-webp"),
        ("w400-h300-contain-webp", "~card-fp0.5_0.1", "w400-h300-contain-webp"),
        ("still-w400-webp", "~card-frame2", "frame2-w400-webp"),
        ("page2-w400-webp", "~card-still", "still-w400-webp"),
        ("w400-q80-webp", "~card-qlow", "w400-qlow-webp"),
        ("w400-qlow-webp", "~card-max20k", "w400-max20k-webp"),
        ("w400-max20k-webp", "~card-lossless", "w400-lossless-webp"),
        ("w400-lossless-webp", "~card-q80", "w400-q80-webp"),
        ("w400-q80-keep-webp", "~card-q90", "w400-q90-keep-webp"),
        ("w400-q80-prog-keep-jpeg", "~card-blurhash", "w400-blurhash"),
        ("w400-q80-prog-keep-jpeg", "~card-lqip", "w400-lqip"),
        ("w400-q80-prog-keep-jpeg", "~card-tiff", "w400-keep-tiff"),
        ("w400-q80-jpeg", "~card-png", "w400-q80-png"),
        ("dl-jpeg", "~card-json", "dl-json"),
    ],
)
def test_a_recipe_overrides_its_preset(preset: str, recipe: str, expanded: str) -> None:
    whole = expand(parse(recipe), {"card": parse(preset)})
    assert str(whole) == expanded
    assert parse(expanded) == whole


def test_a_recipe_without_a_preset_is_unchanged() -> None:
    assert expand(CARD, {}) is CARD


def test_an_unknown_preset_is_underlined() -> None:
    with pytest.raises(RecipeError, match=r"The tenant has no preset with this name\.") as refused:
        expand(parse("~nothing-w300"), {"card": CARD})
    assert (refused.value.start, refused.value.length) == (0, len("~nothing"))


@pytest.mark.parametrize(
    ("preset", "recipe", "detail"),
    [
        ("w400-h300-webp", "~card-ar4_3", "With its preset, the recipe is w400-h300-ar4_3-webp. Option ar requires"),
        ("w400-webp", "~card-gn", "With its preset, the recipe is w400-gn-webp. Option g applies to a cover crop only"),
        ("w400-prog-jpeg", "~card-webp", "With its preset, the recipe is w400-prog-webp. Option prog requires jpeg"),
        ("w400-q80-jpeg", "~card-q80-tiff", "With its preset, the recipe is w400-q80-tiff. Format tiff is always"),
    ],
)
def test_a_conflict_with_the_preset_shows_the_expanded_recipe(preset: str, recipe: str, detail: str) -> None:
    with pytest.raises(RecipeError) as refused:
        expand(parse(recipe), {"card": parse(preset)})
    assert refused.value.detail.startswith(detail)
    assert (refused.value.start, refused.value.length) == (0, len(recipe))


@pytest.mark.parametrize(
    "text",
    [
        "w300-h200-outside-webp", "w300-ar3_2-fill-webp", "lossless-avif", "lossless-jxl", "prog",
        "prog-auto", "prog-png", "prog-gif", "qlow", "qlow-auto", "qlow-jpeg", "qlow-avif", "qlow-jxl", "max9k",
        "max9k-png", "keep-tiff", "dl-json", "dl-blurhash", "w300-h200-gsmart-lqip", "h300-up", "h300-dpr2",
    ],
)  # fmt: skip
def test_what_a_format_supports_is_accepted(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["lossless", "lossless-auto", "lossless-png", "lossless-tiff", "prog-avif", "prog-tiff", "prog-jxl", "qlow-png",
     "qlow-gif", "qlow-tiff", "max9k-gif", "max9k-tiff", "keep-json", "keep-lqip", "prog-thumbhash", "w300-json", "up",
     "dpr2", "ar3_2", "cover", "gn", "fp0.5_0.5", "w300-h200-fill-gn", "w300-h200-contain-fp0_0"],
)  # fmt: skip
def test_what_a_format_or_a_size_does_not_support_is_rejected(text: str) -> None:
    with pytest.raises(RecipeError):
        parse(text)
