"""Fitting a picture into its target box: the five fits, cover crops and canvases.

Numbers are rounded half up. The five fits and their centring follow sharp (`fit`, `withoutEnlargement`): without `up`
a picture is never enlarged, so the cover crop of a small original is smaller than its box.
"""

from dataclasses import replace
from fractions import Fraction

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import FLIP, FLOP, Box, Size, Turn, fit_scale, ratio, scale
from proxy.core.recipe.options import CONTENT_GRAVITIES
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Crop, Focus


def crop_box(crop: Crop, within: Size) -> Box:
    """Return the crop in whole pixels of the upright picture; the edges are rounded, not the sides.

    Raise LimitExceeded if it exceeds the picture.
    """
    across, down = (within.width, within.height) if crop.relative else (1, 1)
    left, right = half_up(crop.left * across), half_up((crop.left + crop.width) * across)
    top, bottom = half_up(crop.top * down), half_up((crop.top + crop.height) * down)
    if crop.relative:
        left, top = min(left, within.width - 1), min(top, within.height - 1)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
    if right > within.width or bottom > within.height:
        raise LimitExceeded(f"The crop extends to {right}×{bottom}; the original is {within.width}×{within.height}.")
    return Box(left, top, right - left, bottom - top)


def half_up(amount: Fraction) -> int:
    """Return a non-negative fraction rounded to the nearest whole number, half up."""
    return int(amount + Fraction(1, 2))


def user_turn(recipe: Recipe) -> Turn:
    """Return the composition of `rot`, `flip` and `flop`, in this order."""
    turn = Turn(quarters=(recipe.rot or 0) // 90)
    turn = turn.then(FLIP) if recipe.flip else turn
    return turn.then(FLOP) if recipe.flop else turn


def target_box(recipe: Recipe, base: Size) -> Size | None:
    """Return the requested box, or None if the recipe has no side.

    A missing side is computed from `aspect`, or else from the aspect ratio of `base`.
    """
    width, height = recipe.width, recipe.height
    if width is None and height is None:
        return None
    dpr = recipe.dpr or Fraction(1)
    across, down = recipe.aspect or (base.width, base.height)
    if width is not None:
        wide = ratio(width, dpr.numerator, dpr.denominator)
        high = ratio(wide, down, across) if height is None else ratio(height, dpr.numerator, dpr.denominator)
        return _reduce_to_aspect(recipe, Size(wide, high), base)
    high = ratio(height or 1, dpr.numerator, dpr.denominator)
    return _reduce_to_aspect(recipe, Size(ratio(high, across, down), high), base)


def _reduce_to_aspect(recipe: Recipe, box: Size, base: Size) -> Size:
    """Return the box, reduced with its aspect ratio if `ar` is given and a cover crop lacks pixels for the box."""
    if recipe.aspect is None or recipe.up or not recipe.crops_to_cover:
        return box
    by = fit_scale(box, base, cover=False)
    return scale(box, by) if by[0] < by[1] else box


def limit_dpr(recipe: Recipe, base: Size) -> Recipe:
    """Return the recipe with a lower `dpr`, at least 1, if a cover crop lacks pixels for it.

    So the crop is the same for every `dpr`.
    """
    if recipe.dpr is None or recipe.up or not recipe.crops_to_cover:
        return recipe
    box = target_box(replace(recipe, dpr=None), base) or base
    available = min(Fraction(base.width, box.width), Fraction(base.height, box.height))
    return replace(recipe, dpr=max(Fraction(1), min(recipe.dpr, available)))


def scaled_size(recipe: Recipe, base: Size, target: Size | None) -> Size:
    """Return the size after the resize."""
    if target is None:
        return base
    fit = recipe.fit or recipe.default_fit
    if fit == "fill" or not recipe.both_sides:  # a computed side has the exact ratio
        return target if recipe.up else Size(min(target.width, base.width), min(target.height, base.height))
    by = fit_scale(base, target, cover=fit in ("cover", "outside"))
    return scale(base, by) if recipe.up or by[0] < by[1] else base


def cut_and_canvas(recipe: Recipe, scaled: Size, target: Size | None) -> tuple[Box | None, Box | None]:
    """Return the part that a cover crop retains, and the canvas of `contain` with the position of the picture."""
    if target is None or not recipe.both_sides or scaled == target:
        return None, None
    fit = recipe.fit or recipe.default_fit
    if fit == "cover":
        part = Size(min(scaled.width, target.width), min(scaled.height, target.height))
        return (None if part == scaled else _place(recipe, scaled, part)), None
    if fit == "contain":
        left, top = (target.width - scaled.width) // 2, (target.height - scaled.height) // 2
        return None, Box(left, top, target.width, target.height)
    return None, None


def _place(recipe: Recipe, scaled: Size, part: Size) -> Box:
    """Return the cover crop at its gravity or focal point; an odd centre is rounded right and down, as in sharp."""
    spare_width, spare_height = scaled.width - part.width, scaled.height - part.height
    if recipe.focus is not None:
        left, top = _focus_offset(recipe.focus, scaled, part)
    else:
        gravity = recipe.gravity if recipe.gravity not in CONTENT_GRAVITIES else None
        left = _gravity_offset(gravity, "w", "e", spare_width)
        top = _gravity_offset(gravity, "n", "s", spare_height)
    return Box(left, top, part.width, part.height)


def _gravity_offset(gravity: str | None, low: str, high: str, spare: int) -> int:
    """Return the offset along one axis; `low` and `high` are the letters of its ends."""
    if gravity is not None and low in gravity:
        return 0
    return spare if gravity is not None and high in gravity else (spare + 1) // 2


def _focus_offset(focus: Focus, scaled: Size, part: Size) -> tuple[int, int]:
    left = half_up(max(Fraction(0), focus.x * scaled.width - Fraction(part.width, 2)))
    top = half_up(max(Fraction(0), focus.y * scaled.height - Fraction(part.height, 2)))
    return min(left, scaled.width - part.width), min(top, scaled.height - part.height)
