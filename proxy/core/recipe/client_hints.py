"""Client hints: what a client says of its screen and its wish for little data, applied where the tenant opts in.

Theory. Hints multiply what a cache has to hold, so their values are rounded up to few steps before they become part of
a recipe, and from then on they are nothing special: the recipe they make names the derivative and its ETag. They shape
`auto` pictures alone, which vary by client already, and never overrule what a URL says.

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
"""The request's fields that are hints; the newer name of two counts."""
VARY: Final = "Accept, Save-Data, Sec-CH-DPR, DPR, Sec-CH-Width, Width"
_DPR_STEPS = (Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3))
_WIDTH_STEP = 100
_LONGEST = 8
"""Longest number that is read, in characters."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client hints at; `dpr` is one of few steps, `width` in physical pixels a multiple of 100."""

    save_data: bool = False
    dpr: Fraction | None = None
    width: int | None = None


@lru_cache(maxsize=4_096)
def read_hints(fields: tuple[tuple[str, str], ...]) -> Hints:
    """Read (name, value) pairs, names in small letters; what is no number is no hint."""
    told = dict(fields)
    dpr = _number(_first(told, ("sec-ch-dpr", "dpr")))
    width = _number(_first(told, ("sec-ch-width", "width")))
    return Hints(
        save_data=told.get("save-data", "").strip().lower() == "on",
        dpr=None if dpr is None else next((step for step in _DPR_STEPS if dpr <= step), _DPR_STEPS[-1]),
        width=None if width is None else min(MAX_SIDE, _WIDTH_STEP * -(-width // _WIDTH_STEP)),
    )


def hinted(recipe: Recipe, hints: Hints, longest: int = MAX_SIDE) -> Recipe:
    """Apply the hints to an `auto` recipe; what it says itself stays, and no side it says goes over `longest`.

    `width` stands in for a width that is not said, else `dpr` for a device pixel ratio that is not said. `save_data`
    asks for the quality below the one that is said, and for no more pixels than one for one.
    """
    if recipe.format != "auto":
        return recipe
    sized = recipe.width is not None or recipe.height is not None
    if hints.width is not None and not sized:
        recipe = replace(recipe, width=min(hints.width, longest))
    if hints.save_data:
        return _saving(recipe)
    if hints.dpr is not None and sized and recipe.dpr is None:
        side = max(recipe.width or 0, recipe.height or 0)
        dpr = max((step for step in _DPR_STEPS if step <= hints.dpr and side * step <= longest), default=Fraction(1))
        return replace(recipe, dpr=dpr if dpr > 1 else None)
    return recipe


def _saving(recipe: Recipe) -> Recipe:
    if recipe.budget is not None:
        return replace(recipe, dpr=None)
    if recipe.quality is not None:
        return replace(recipe, dpr=None, quality=max(1, recipe.quality * 3 // 5))
    return replace(recipe, dpr=None, target="good" if recipe.target == "best" else "low")


def _first(told: dict[str, str], names: Iterable[str]) -> str:
    return next((told[name] for name in names if name in told), "")


def _number(text: str) -> Fraction | None:
    text = text.strip()
    if not text or len(text) > _LONGEST or text.strip("0123456789.") or text.count(".") > 1 or text == ".":
        return None
    return Fraction(text) or None
