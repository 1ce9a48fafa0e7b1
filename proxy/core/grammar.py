"""Recipe text to Recipe. `str(parse(text)) == text` for every text that is accepted.

    recipe  = option *( "-" option )          ; in the table's order, each at most once
    option  = one row of `options.ROWS`

Theory. One recipe has one spelling, so no picture has two cache keys. A text that is legal but misspelled (order, a
leading zero, a default
spelled out) is read all the same, printed, and refused with its right spelling; a text that is not legal is refused
with
the fault underlined. Both are the same error.
"""

from dataclasses import replace
from difflib import get_close_matches
from itertools import zip_longest

from proxy.core.errors import RecipeFault
from proxy.core.options import ROWS, Row, all_heads, near_row, row_of
from proxy.core.recipe import Recipe

MAX_LENGTH = 1_024
"""Longest recipe, in characters."""


def parse(text: str) -> Recipe:
    """Read a recipe; RecipeFault says where it fails, why, and what would have been right."""
    recipe = normal(_read(text))
    right = str(recipe)
    if right != text:
        start, length = _first_difference(text, right)
        why = "one recipe has one spelling: options in the table's order, no leading or trailing zeros, no defaults"
        raise RecipeFault(text, start, length, why, right or None)
    return recipe


def normal(recipe: Recipe) -> Recipe:
    """Leave out what says nothing: the default fit."""
    return replace(recipe, fit=None) if recipe.fit == recipe.default_fit else recipe


def _read(text: str) -> Recipe:
    """Collect each option's value, then check how they go together."""
    if not text or len(text) > MAX_LENGTH:
        raise RecipeFault(
            text[:MAX_LENGTH], 0, 1, f"a recipe has 1 to {MAX_LENGTH} characters, for example w320-h180-webp"
        )
    found: dict[str, object] = {}
    where: dict[str, tuple[int, int]] = {}
    start = 0
    for token in text.split("-"):
        row, value = _read_option(text, token, start)
        if row.field in where:
            raise RecipeFault(text, start, len(token), _said_twice(row))
        found[row.field], where[row.field] = value, (start, len(token))
        start += len(token) + 1
    recipe = Recipe(**found)  # type: ignore[arg-type]  # each row reads its own field's type
    for field, why in _conflicts(recipe):
        raise RecipeFault(text, *where[field], why)
    return recipe


def _read_option(text: str, token: str, start: int) -> tuple[Row, object]:
    known = row_of(token)
    if known is None:
        raise RecipeFault(text, start, len(token), _unknown(token))
    _, row, match = known
    try:
        return row, row.read(match.groups())
    except ValueError as error:
        raise RecipeFault(text, start, len(token), str(error)) from None


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
    close = get_close_matches(token, all_heads(), n=1) if token.isalpha() else []
    if close and close[0] != token:
        return f"unknown option; did you mean {close[0]}?"
    row = near_row(token)
    return f"unknown option; the nearest is {row.usage}: {row.meaning}" if row else "unknown option"


def _conflicts(recipe: Recipe) -> list[tuple[str, str]]:
    """Tell what does not go together, as (field to underline, sentence)."""
    sides = (recipe.width is not None) + (recipe.height is not None)
    fit = recipe.fit or recipe.default_fit
    rules = (
        (
            "still",
            recipe.still and recipe.frame is not None,
            "still is the first frame: say either still or frame",
        ),
        ("aspect", recipe.aspect is not None and sides != 1, "ar goes with one of w and h"),
        (
            "fit",
            recipe.fit not in (None, "inside") and not recipe.both_sides,
            "a fit needs both sides: w and h, or one of them and ar",
        ),
        ("fit", recipe.fit == "inside" and not sides, "inside needs w or h"),
        ("up", recipe.up and not sides, "up needs w or h"),
        ("dpr", recipe.dpr is not None and not sides, "dpr multiplies w and h: say one of them"),
        ("gravity", recipe.gravity is not None and recipe.focus is not None, "say either g or fp"),
        (
            "gravity",
            recipe.gravity is not None and not _crops(recipe, fit),
            "g places a cover crop: it needs cover and both sides",
        ),
        (
            "focus",
            recipe.focus is not None and not _crops(recipe, fit),
            "fp places a cover crop: it needs cover and both sides",
        ),
    )
    return [(field, why) for field, broken, why in rules if broken]


def _crops(recipe: Recipe, fit: str) -> bool:
    return fit == "cover" and recipe.both_sides


ORDER = tuple(row.field for row in ROWS)
"""Recipe's fields in spelling order; a test holds the dataclass to it."""
