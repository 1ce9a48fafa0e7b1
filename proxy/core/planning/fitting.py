"""How a picture meets its box: the five fits, cover crops and canvases.

Rounding is half up everywhere. The five fits and their centring follow sharp (`fit`, `withoutEnlargement`): without
`up` no pixel is ever enlarged, so a cover crop of a small original is smaller than its box.
"""

from dataclasses import replace
from fractions import Fraction

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import FLIP, FLOP, Box, Size, Turn, fit_scale, ratio, scale
from proxy.core.recipe.options import FOUND
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Crop, Focus


def crop_box(crop: Crop, within: Size) -> Box:
    """Give the crop in whole pixels of the upright picture; its edges are rounded, not its sides."""
    across, down = (within.width, within.height) if crop.relative else (1, 1)
    left, right = half_up(crop.left * across), half_up((crop.left + crop.width) * across)
    top, bottom = half_up(crop.top * down), half_up((crop.top + crop.height) * down)
    if crop.relative:
        left, top = min(left, within.width - 1), min(top, within.height - 1)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
    if right > within.width or bottom > within.height:
        raise LimitExceeded(f"The crop reaches to {right}×{bottom}; the original is {within.width}×{within.height}.")
    return Box(left, top, right - left, bottom - top)


def half_up(amount: Fraction) -> int:
    """Round to the nearest whole number, a half up."""
    return int(amount + Fraction(1, 2))


def user_turn(recipe: Recipe) -> Turn:
    """Compose `rot`, `flip` and `flop`, in this order."""
    turn = Turn(quarters=(recipe.rot or 0) // 90)
    turn = turn.then(FLIP) if recipe.flip else turn
    return turn.then(FLOP) if recipe.flop else turn


def target_box(recipe: Recipe, base: Size) -> Size | None:
    """Give the box that is asked for; None when no side is. A missing side follows the picture's own ratio."""
    width, height = recipe.width, recipe.height
    if width is None and height is None:
        return None
    dpr = recipe.dpr or Fraction(1)
    across, down = recipe.aspect or (base.width, base.height)
    if width is not None:
        wide = ratio(width, dpr.numerator, dpr.denominator)
        high = ratio(wide, down, across) if height is None else ratio(height, dpr.numerator, dpr.denominator)
        return _of_aspect(recipe, Size(wide, high), base)
    high = ratio(height or 1, dpr.numerator, dpr.denominator)
    return _of_aspect(recipe, Size(ratio(high, across, down), high), base)


def _of_aspect(recipe: Recipe, box: Size, base: Size) -> Size:
    """Keep the ratio that was asked for by name where a cover crop has not the pixels for the box."""
    if recipe.aspect is None or recipe.up or not recipe.crops_to_cover:
        return box
    by = fit_scale(box, base, cover=False)
    return scale(box, by) if by[0] < by[1] else box


def at_hand(recipe: Recipe, base: Size) -> Recipe:
    """Lower a `dpr` for which a cover crop has not the pixels: the same picture with as many as there are, at least."""
    if recipe.dpr is None or recipe.up or not recipe.crops_to_cover:
        return recipe
    box = target_box(replace(recipe, dpr=None), base) or base
    most = min(Fraction(base.width, box.width), Fraction(base.height, box.height))
    return replace(recipe, dpr=max(Fraction(1), min(recipe.dpr, most)))


def scaled_size(recipe: Recipe, base: Size, target: Size | None) -> Size:
    """Give the size after the resize."""
    if target is None:
        return base
    fit = recipe.fit or recipe.default_fit
    if fit == "fill" or not recipe.both_sides:  # a side that followed the ratio is already exact
        return target if recipe.up else Size(min(target.width, base.width), min(target.height, base.height))
    by = fit_scale(base, target, cover=fit in ("cover", "outside"))
    return scale(base, by) if recipe.up or by[0] < by[1] else base


def cut_and_canvas(recipe: Recipe, scaled: Size, target: Size | None) -> tuple[Box | None, Box | None]:
    """Tell what a cover crop keeps, and where contain lays the picture."""
    if target is None or not recipe.both_sides or scaled == target:
        return None, None
    fit = recipe.fit or recipe.default_fit
    if fit == "cover":
        kept = Size(min(scaled.width, target.width), min(scaled.height, target.height))
        return (None if kept == scaled else _place(recipe, scaled, kept)), None
    if fit == "contain":
        left, top = (target.width - scaled.width) // 2, (target.height - scaled.height) // 2
        return None, Box(left, top, target.width, target.height)
    return None, None


def _place(recipe: Recipe, scaled: Size, kept: Size) -> Box:
    """Put the cover crop where gravity or the focal point says; the centre leans right and down, as sharp's does."""
    spare_width, spare_height = scaled.width - kept.width, scaled.height - kept.height
    if recipe.focus is not None:
        left, top = _focused(recipe.focus, scaled, kept)
    else:
        gravity = recipe.gravity if recipe.gravity not in FOUND else None
        left = _lean(gravity, "w", "e", spare_width)
        top = _lean(gravity, "n", "s", spare_height)
    return Box(left, top, kept.width, kept.height)


def _lean(gravity: str | None, low: str, high: str, spare: int) -> int:
    if gravity is not None and low in gravity:
        return 0
    return spare if gravity is not None and high in gravity else (spare + 1) // 2


def _focused(focus: Focus, scaled: Size, kept: Size) -> tuple[int, int]:
    left = half_up(max(Fraction(0), focus.x * scaled.width - Fraction(kept.width, 2)))
    top = half_up(max(Fraction(0), focus.y * scaled.height - Fraction(kept.height, 2)))
    return min(left, scaled.width - kept.width), min(top, scaled.height - kept.height)
