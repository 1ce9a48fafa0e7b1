"""Subjects: what an original is about, and where that is once a recipe has cropped and turned it."""

from dataclasses import dataclass
from fractions import Fraction

from proxy.core.geometry import Size
from proxy.core.planning.fitting import half_up, user_turn
from proxy.core.recipe.option_kinds import FRACTION_DIGITS
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Crop, Focus

_STEPS = 10**FRACTION_DIGITS


@dataclass(frozen=True, slots=True)
class Subject:
    """An original's focal point, and its upright size; its first page's, where it has pages."""

    focus: Focus
    size: Size

    def seen(self, recipe: Recipe) -> Focus | None:
        """Give the point as `fp` says it, of the picture that crop and turns leave; None where only pixels tell."""
        if recipe.trim is not None:
            return None
        x, y = self.focus.x, self.focus.y
        if recipe.crop is not None:
            if not recipe.crop.relative and _is_later(recipe):
                return None
            x, y = self._cropped(recipe.crop)
        x, y = user_turn(recipe).of_point(x, y)
        return Focus(_rounded(x), _rounded(y))

    def _cropped(self, crop: Crop) -> tuple[Fraction, Fraction]:
        """Give the point in fractions of the crop; one that lies outside is at the edge."""
        across, down = (1, 1) if crop.relative else (self.size.width, self.size.height)
        x = (self.focus.x * across - crop.left) / crop.width
        y = (self.focus.y * down - crop.top) / crop.height
        return _within(x), _within(y)


def _is_later(recipe: Recipe) -> bool:
    """Tell whether it shows another page than the first, which may be of another size."""
    return (recipe.page or recipe.frame or 1) > 1


def _within(x: Fraction) -> Fraction:
    return min(max(x, Fraction(0)), Fraction(1))


def _rounded(x: Fraction) -> Fraction:
    """Round to as many decimals as a recipe takes."""
    return Fraction(half_up(x * _STEPS), _STEPS)
