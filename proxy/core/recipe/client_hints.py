"""Client hints: the display of a client and its preference for less data, applied if the tenant enables them.

Theory. Hints multiply the number of variants that caches have to store. Therefore their values are rounded up to a few
steps before they become options of the recipe, which identifies the derivative and its ETag as usual. They are applied
only to `auto` pictures, which vary by client anyway, and never override an option of the URL.

Sources: Client Hints (RFC 8942), Responsive Image Client Hints (`Sec-CH-DPR`, `Sec-CH-Width` and their older names),
Save Data API (`Save-Data: on`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from proxy.core.recipe.options import MAX_SIDE
from proxy.core.recipe.recipe import Recipe

FIELDS: Final = ("save-data", "sec-ch-dpr", "dpr", "sec-ch-width", "width")
"""The header fields that are hints; the newer name takes precedence over the older one."""
VARY: Final = "Accept, Save-Data, Sec-CH-DPR, DPR, Sec-CH-Width, Width"
_DPR_STEPS = (Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3))
_WIDTH_STEP = 100
_MAX_NUMBER_LENGTH = 8
"""Longest number that is accepted, in characters."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints of a client. `dpr` is one of a few steps; `width` is a multiple of 100 physical pixels."""

    save_data: bool = False
    dpr: Fraction | None = None
    width: int | None = None


@lru_cache(maxsize=4_096)
def read_hints(fields: tuple[tuple[str, str], ...]) -> Hints:
    """Return the hints of (name, value) pairs with lower-case names; values that are not numbers are ignored."""
    values = dict(fields)
    dpr = _number(_first_present(values, ("sec-ch-dpr", "dpr")))
    width = _number(_first_present(values, ("sec-ch-width", "width")))
    return Hints(
        save_data=values.get("save-data", "").strip().lower() == "on",
        dpr=None if dpr is None else next((step for step in _DPR_STEPS if dpr <= step), _DPR_STEPS[-1]),
        width=None if width is None else min(MAX_SIDE, _WIDTH_STEP * -(-width // _WIDTH_STEP)),
    )


def apply_hints(recipe: Recipe, hints: Hints, max_side: int = MAX_SIDE) -> Recipe:
    """Return an `auto` recipe with the hints applied; recipes of other formats are returned unchanged.

    `width` is used if the recipe has no side, and `dpr` if it has a side but no device pixel ratio. Neither lets a side
    exceed `max_side`. `save_data` lowers the quality by one step and removes the device pixel ratio.
    """
    if recipe.format != "auto":
        return recipe
    sized = recipe.width is not None or recipe.height is not None
    if hints.width is not None and not sized:
        recipe = replace(recipe, width=min(hints.width, max_side))
    if hints.save_data:
        return _save_data(recipe)
    if hints.dpr is not None and sized and recipe.dpr is None:
        side = max(recipe.width or 0, recipe.height or 0)
        dpr = max((step for step in _DPR_STEPS if step <= hints.dpr and side * step <= max_side), default=Fraction(1))
        return replace(recipe, dpr=dpr if dpr > 1 else None)
    return recipe


def _save_data(recipe: Recipe) -> Recipe:
    if recipe.budget is not None:
        return replace(recipe, dpr=None)
    if recipe.quality is not None:
        return replace(recipe, dpr=None, quality=max(1, recipe.quality * 3 // 5))
    return replace(recipe, dpr=None, target="good" if recipe.target == "best" else "low")


def _first_present(values: dict[str, str], names: Iterable[str]) -> str:
    return next((values[name] for name in names if name in values), "")


def _number(text: str) -> Fraction | None:
    """Return a positive decimal number, or None if the text is not one."""
    text = text.strip()
    if not text or len(text) > _MAX_NUMBER_LENGTH or text.strip("0123456789.") or text.count(".") > 1 or text == ".":
        return None
    return Fraction(text) or None
