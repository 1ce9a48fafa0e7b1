"""Recipe text to Recipe. `str(parse(text)) == text` for every text that is accepted.

    recipe  = option *( "-" option )          ; in the table's order, each at most once
    option  = one row of `options.ROWS`

Theory. One recipe has one spelling, so no picture has two cache keys. A text that is legal but misspelled (order, a
leading zero, a default
spelled out) is read all the same, printed, and refused with its right spelling; a text that is not legal is refused
with
the fault underlined. Both are the same error.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import zip_longest

from proxy.core.errors import RecipeError
from proxy.core.recipe.conflicts import conflicts, overlay
from proxy.core.recipe.option_kinds import Row
from proxy.core.recipe.options import ROWS, all_words, near_row, row_of
from proxy.core.recipe.recipe import Recipe

MAX_LENGTH = 1_024
"""Longest recipe, in characters."""


def parse(text: str) -> Recipe:
    """Read a recipe; RecipeError says where it fails, why, and what would have been right."""
    recipe = normal(_read(text))
    right = str(recipe)
    if right != text:
        start, length = _first_difference(text, right)
        why = "one recipe has one spelling: options in the table's order, no leading or trailing zeros, no defaults"
        raise RecipeError(text, start, length, why, right or None)
    return recipe


def normal(recipe: Recipe) -> Recipe:
    """Leave out what says nothing: the default fit. Behind a preset it may say something."""
    says_nothing = recipe.preset is None and recipe.fit == recipe.default_fit
    return replace(recipe, fit=None) if says_nothing else recipe


def expand(recipe: Recipe, presets: Mapping[str, Recipe]) -> Recipe:
    """Put a preset's options in their place, the recipe's own over them; RecipeError when they do not go together."""
    if recipe.preset is None:
        return recipe
    text, length = str(recipe), len(recipe.preset) + 1
    preset = presets.get(recipe.preset)
    if preset is None:
        raise RecipeError(text, 0, length, "the tenant has no preset of this name")
    whole = normal(overlay(preset, recipe))
    if whole.focus is not None and not whole.crops_to_cover:
        whole = replace(whole, focus=None)  # a minted link outlives what its preset was when it was minted
    for _, why in conflicts(whole):
        raise RecipeError(text, 0, len(text), f"with the preset it is {whole}: {why}")
    return whole


def _read(text: str) -> Recipe:
    """Collect each option's value, then check how they go together."""
    if not text or len(text) > MAX_LENGTH:
        raise RecipeError(
            text[:MAX_LENGTH], 0, 1, f"a recipe has 1 to {MAX_LENGTH} characters, for example w320-h180-webp"
        )
    found: dict[str, object] = {}
    where: dict[str, tuple[int, int]] = {}
    start = 0
    for token in text.split("-"):
        row, value = _read_option(text, token, start)
        if row.field in where:
            raise RecipeError(text, start, len(token), _said_twice(row))
        found[row.field], where[row.field] = value, (start, len(token))
        start += len(token) + 1
    recipe = Recipe(**found)  # type: ignore[arg-type]  # each row reads its own field's type
    for field, why in () if recipe.preset else conflicts(recipe):
        raise RecipeError(text, *where[field], why)
    return recipe


def _read_option(text: str, token: str, start: int) -> tuple[Row, object]:
    known = row_of(token)
    if known is None:
        raise RecipeError(text, start, len(token), _unknown(token))
    _, row, match = known
    try:
        return row, row.read(match.groups())
    except ValueError as error:
        raise RecipeError(text, start, len(token), str(error)) from None


def _first_difference(text: str, right: str) -> tuple[int, int]:
    """Give (start, length) of the first option of `text` that is not the same in `right`."""
    start = 0
    for token, other in zip_longest(text.split("-"), right.split("-")):
        if token != other:
            return start, len(token or " ")
        start += len(token) + 1
    return 0, len(text)


def _said_twice(row: Row) -> str:
    return f"{row.usage} is said twice" if "{" in row.usage else f"only one of: {row.usage}"


def _unknown(token: str) -> str:
    if not token:
        return "an option is missing here: options are joined by a single -"
    close = get_close_matches(token, all_words(), n=1) if token.isalpha() else []
    if close:
        return f"unknown option; did you mean {close[0]}?"
    row = near_row(token)
    return f"unknown option; the nearest is {row.usage}: {row.meaning}" if row else "unknown option"


ORDER = tuple(row.field for row in ROWS)
"""Recipe's fields in spelling order; a test holds the dataclass to it."""
