"""Presets: a tenant's named recipes, and the ladder of sizes of a preset that is served without a seal."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from proxy.core.errors import RecipeError
from proxy.core.recipe import grammar
from proxy.core.recipe.option_kinds import decimal
from proxy.core.recipe.recipe import Recipe

MOST_WIDTHS = 32
MOST_DPRS = 8
_DPR_DIGITS = 1


@dataclass(frozen=True, slots=True)
class Ladder:
    """Widths and device pixel ratios that an unsigned preset is served at, beside its own; ascending."""

    widths: tuple[int, ...] = ()
    dprs: tuple[Fraction, ...] = ()

    @property
    def dpr_texts(self) -> list[str]:
        """The ratios in the spelling of the option `dpr`."""
        return [decimal(dpr, _DPR_DIGITS) for dpr in self.dprs]


NO_LADDER = Ladder()


def parse_ladder(widths: Iterable[str], dprs: Iterable[str]) -> Ladder:
    """Return the ladder of numbers in the spelling of the options `w` and `dpr`.

    Raise RecipeError for a number the option does not take, ValueError for more than 32 widths or 8 ratios.
    """
    ladder = Ladder(tuple(sorted(set(map(_width, widths)))), tuple(sorted(set(map(_dpr, dprs)))))
    if len(ladder.widths) > MOST_WIDTHS or len(ladder.dprs) > MOST_DPRS:
        raise ValueError(f"A preset is served unsigned at no more than {MOST_WIDTHS} widths and {MOST_DPRS} ratios.")
    return ladder


def is_unsigned(recipe: str, unsigned: Mapping[str, Ladder]) -> bool:
    """Return whether a recipe is an unsigned preset, alone or with a width and a ratio of its ladder.

    Only the exact spelling counts: `~card`, `~card-w640`, `~card-dpr2`, `~card-w640-dpr2`.
    """
    name, dash, options = recipe.removeprefix("~").partition("-")
    ladder = unsigned.get(name)
    return recipe.startswith("~") and ladder is not None and dash + options in suffixes(ladder)


@lru_cache(maxsize=1_024)
def suffixes(ladder: Ladder) -> frozenset[str]:
    """Return everything that may follow the name of a preset with this ladder; at most 33 × 9 texts."""
    widths = ["", *(f"-w{width}" for width in ladder.widths)]
    dprs = ["", *(f"-dpr{dpr}" for dpr in ladder.dpr_texts)]
    return frozenset(width + dpr for width in widths for dpr in dprs)


def apply_presets(recipe: Recipe, presets: Mapping[str, Recipe], watermarks: Container[str]) -> Recipe:
    """Return the recipe with its preset expanded. Raise RecipeError for an unknown preset or watermark."""
    expanded = grammar.expand(recipe, presets)
    if expanded.watermark is not None and expanded.watermark.content not in watermarks:
        text, name = str(recipe), expanded.watermark.content
        start = max(0, text.find(f"wm_{name}"))
        raise RecipeError(text, start, len(f"wm_{name}"), "The tenant has no watermark with this name.")
    return expanded


def _width(text: str) -> int:
    width = grammar.parse(f"w{text}").width
    if width is None or str(width) != text:
        raise RecipeError(text, 0, len(text), "specify a width in pixels, for example 640")
    return width


def _dpr(text: str) -> Fraction:
    dpr = grammar.parse(f"w1-dpr{text}").dpr
    if dpr is None or decimal(dpr, _DPR_DIGITS) != text:
        raise RecipeError(text, 0, len(text), "specify a device pixel ratio, for example 1.5")
    return dpr
