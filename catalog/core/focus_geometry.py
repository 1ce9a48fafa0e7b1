"""Where the focal point of an original is after a recipe has cropped and rotated it."""

from dataclasses import dataclass
from fractions import Fraction

from proxy.core.geometry import Size
from proxy.core.planning.fitting import half_up, user_turn
from proxy.core.recipe.option_kinds import FRACTION_DIGITS
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Crop, Focus

_STEPS = 10**FRACTION_DIGITS


@dataclass(frozen=True, slots=True)
class FocalPoint:
    """The focal point of an original in fractions of its upright sides, and the upright size of its first page."""

    focus: Focus
    size: Size

    def after(self, recipe: Recipe) -> Focus | None:
        """Return the point in fractions of the image that crop and rotation leave, as `fp` in a URL means it.

        Return None if it depends on pixels: after a trim, or for a crop in pixels of a later page.
        """
        if recipe.trim is not None:
            return None
        x, y = self.focus.x, self.focus.y
        if recipe.crop is not None:
            if not recipe.crop.relative and _is_later_page(recipe):
                return None
            x, y = self._in_crop(recipe.crop)
        x, y = user_turn(recipe).of_point(x, y)
        return Focus(_rounded(x), _rounded(y))

    def _in_crop(self, crop: Crop) -> tuple[Fraction, Fraction]:
        """Return the point in fractions of the crop; a point outside is moved to the edge."""
        width, height = (1, 1) if crop.relative else (self.size.width, self.size.height)
        x = (self.focus.x * width - crop.left) / crop.width
        y = (self.focus.y * height - crop.top) / crop.height
        return _clamped(x), _clamped(y)


def _is_later_page(recipe: Recipe) -> bool:
    """Return whether the recipe shows a page after the first, which may have another size."""
    return (recipe.page or recipe.frame or 1) > 1


def _clamped(x: Fraction) -> Fraction:
    return min(max(x, Fraction(0)), Fraction(1))


def _rounded(x: Fraction) -> Fraction:
    """Round to the number of decimal places that a recipe takes."""
    return Fraction(half_up(x * _STEPS), _STEPS)
