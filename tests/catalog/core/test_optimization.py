"""Which versions are tried, and which is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.optimization import LOSSLESS_PIXELS, Candidate, candidate_recipes, choose

MEGAPIXEL = 1_000_000


@pytest.mark.parametrize(
    ("media_type", "frames", "pixels", "recipes"),
    [
        ("image/jpeg", 1, 24 * MEGAPIXEL, ("qgood-webp", "qgood-avif")),
        ("image/png", 1, MEGAPIXEL, ("qgood-webp", "qgood-avif", "lossless-webp")),
        ("image/png", 1, LOSSLESS_PIXELS + 1, ("qgood-webp", "qgood-avif")),
        ("image/gif", 3, MEGAPIXEL, ("qgood-webp", "lossless-webp")),
        ("image/gif", 5, MEGAPIXEL, ("qgood-webp",)),
        ("image/webp", 2, MEGAPIXEL, ("qgood-webp",)),
        ("image/tiff", 4, MEGAPIXEL, ("qgood-webp", "qgood-avif")),
        ("image/svg+xml", 1, MEGAPIXEL, ()),
        ("application/pdf", 2, MEGAPIXEL, ()),
    ],
)
def test_what_may_win_is_tried(media_type: str, frames: int, pixels: int, recipes: tuple[str, ...]) -> None:
    assert candidate_recipes(media_type, frames, pixels) == recipes


def chosen(original: int, webp: int, avif: int | None = None, lossless: int | None = None) -> str | None:
    sizes = {"qgood-webp": webp, "qgood-avif": avif, "lossless-webp": lossless}
    rendered = [
        Candidate(recipe, "image/avif" if "avif" in recipe else "image/webp", size)
        for recipe, size in sizes.items()
        if size is not None
    ]
    return choose(Candidate(None, "image/jpeg", original), rendered).recipe


def test_the_smallest_is_kept_and_avif_has_to_save_a_tenth() -> None:
    assert chosen(1_000, webp=300, avif=200) == "qgood-avif"
    assert chosen(1_000, webp=300, avif=269) == "qgood-avif"
    assert chosen(1_000, webp=300, avif=275) == "qgood-webp"
    assert chosen(1_000, webp=300, avif=350) == "qgood-webp"
    assert chosen(1_000, webp=900, avif=800, lossless=100) == "lossless-webp"


def test_nothing_larger_than_the_original_is_kept() -> None:
    assert chosen(100, webp=300, avif=101) is None
    assert chosen(100, webp=100) is None
    assert chosen(100, webp=99) == "qgood-webp"


@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
def test_the_choice_is_never_larger(original: int, sizes: list[int]) -> None:
    recipe = chosen(original, *sizes)
    size = {None: original, "qgood-webp": sizes[0], "qgood-avif": sizes[1], "lossless-webp": sizes[2]}[recipe]
    assert size <= original
