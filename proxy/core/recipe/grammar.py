"""The parser of recipes. `str(parse(text)) == text` for every text that is accepted.

    recipe  = option *( "-" option )          ; in the order of the table, each at most once
    option  = one row of `options.OPTIONS`

Theory. A recipe has exactly one canonical form, so no picture has two cache keys. A valid text that is not canonical
(another order, a leading zero, an explicit default) is parsed, written again, and rejected with its canonical form. An
invalid text is rejected with the fault underlined. Both raise RecipeError.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain, repeat

from proxy.core.errors import RecipeError
from proxy.core.recipe.conflicts import find_conflicts, merge
from proxy.core.recipe.option_kinds import Option
from proxy.core.recipe.options import OPTIONS, all_words, match_option, nearest_option
from proxy.core.recipe.recipe import Recipe

MAX_LENGTH = 1_024
"""Longest recipe, in characters."""


def parse(text: str) -> Recipe:
    """Return the recipe of a text. Raise RecipeError if the text is invalid or not in its canonical form."""
    recipe = without_default_fit(_read(text))
    canonical = str(recipe)
    if canonical != text:
        start, length = _first_difference(text, canonical)
        reason = (
            "The recipe is not in its canonical form: list options in the order of the table, without leading or "
            "trailing zeros and without default values."
        )
        raise RecipeError(text, start, length, reason, canonical or None)
    return recipe


def without_default_fit(recipe: Recipe) -> Recipe:
    """Return the recipe without a fit that is the default. With a preset, the fit may override that of the preset."""
    is_default = recipe.preset is None and recipe.fit == recipe.default_fit
    return replace(recipe, fit=None) if is_default else recipe


def expand(recipe: Recipe, presets: Mapping[str, Recipe]) -> Recipe:
    """Return the recipe merged with its preset, whose options it overrides.

    Raise RecipeError if the preset is unknown, or if its options conflict with those of the recipe.
    """
    if recipe.preset is None:
        return recipe
    text, length = str(recipe), len(recipe.preset) + 1
    preset = presets.get(recipe.preset)
    if preset is None:
        raise RecipeError(text, 0, length, "The tenant has no preset with this name.")
    merged = without_default_fit(merge(preset, recipe))
    if merged.focus is not None and not merged.crops_to_cover:
        merged = replace(merged, focus=None)  # the preset may have changed since the link was created
    for _, reason in find_conflicts(merged):
        raise RecipeError(text, 0, len(text), f"With its preset, the recipe is {merged}. {reason}")
    return merged


def _read(text: str) -> Recipe:
    """Return the recipe of a text that need not be canonical."""
    if not text or len(text) > MAX_LENGTH:
        raise RecipeError(
            text[:MAX_LENGTH], 0, 1, f"A recipe must have 1 to {MAX_LENGTH} characters, for example w320-h180-webp."
        )
    values: dict[str, object] = {}
    positions: dict[str, tuple[int, int]] = {}
    start = 0
    for token in text.split("-"):
        option, value = _read_option(text, token, start)
        if option.field in positions:
            raise RecipeError(text, start, len(token), _describe_repetition(option))
        values[option.field], positions[option.field] = value, (start, len(token))
        start += len(token) + 1
    recipe = Recipe(**values)  # type: ignore[arg-type]  # each option returns the type of its field
    for field, reason in () if recipe.preset else find_conflicts(recipe):
        raise RecipeError(text, *positions[field], reason)
    return recipe


def _read_option(text: str, token: str, start: int) -> tuple[Option, object]:
    matched = match_option(token)
    if matched is None:
        raise RecipeError(text, start, len(token), _describe_unknown(token))
    option, match = matched
    try:
        return option, option.parse(match.groups())
    except ValueError as error:
        raise RecipeError(text, start, len(token), str(error)) from None


def _first_difference(text: str, canonical: str) -> tuple[int, int]:
    """Return (start, length) of the first option of `text` that differs from the one in `canonical`."""
    start = 0
    for token, expected in zip(text.split("-"), chain(canonical.split("-"), repeat("")), strict=False):
        if token != expected:
            return start, len(token)
        start += len(token) + 1
    raise ValueError("the texts are equal")


def _describe_repetition(option: Option) -> str:
    if len(option.prefixes) > 1:
        return f"Specify only one of {', '.join(option.prefixes)}."
    return f"Option {option.name} is given more than once."


def _describe_unknown(token: str) -> str:
    if not token:
        return "An option is missing. Options are joined by a single hyphen."
    close = get_close_matches(token, all_words(), n=1) if token.isalpha() else []
    if close:
        return f"Unknown option. Did you mean {close[0]}?"
    nearest = nearest_option(token)
    return f"Unknown option. The nearest is {nearest.usage} ({nearest.meaning})." if nearest else "Unknown option."


ORDER = tuple(option.field for option in OPTIONS)
"""The fields of Recipe in canonical order; a test compares them with the dataclass."""
