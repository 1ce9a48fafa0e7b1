"""The layout: the sizes that a picture passes through.

Theory. *stored* (as the file holds it), *upright* (its EXIF orientation applied; what `crop` speaks of), *base* (after
crop, trim, `rot`, `flip`, `flop`; what `w`, `h` and focal points speak of), *scaled* (after the resize), *shown* (after
the cover crop or on its canvas) and *final* (with its border). A layout leads from *base* to *final*.
"""

from dataclasses import dataclass

from proxy.core.geometry import Box, Size
from proxy.core.planning import decoration
from proxy.core.planning.fitting import cut_and_canvas, scaled_size, target_box
from proxy.core.planning.plan import Line
from proxy.core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Layout:
    """What a recipe makes of a base size; at most one of `cut` and `canvas` is of the fit, the other padding's."""

    scaled: Size
    cut: Box | None
    """What a cover crop keeps of `scaled`."""
    canvas: Box | None
    """Its size, and where the picture lies on it."""
    border: Line | None

    @property
    def final(self) -> Size:
        """The derivative's size."""
        shown = self.canvas or self.cut
        size = shown.size if shown else self.scaled
        around = 2 * self.border.width if self.border else 0
        return Size(size.width + around, size.height + around)


def lay_out(recipe: Recipe, base: Size) -> Layout:
    """Lay a picture of `base` pixels out as the recipe says."""
    target = target_box(recipe, base)
    scaled = scaled_size(recipe, base, target)
    cut, canvas = cut_and_canvas(recipe, scaled, target)
    canvas = decoration.padded(recipe, canvas, cut.size if cut else scaled)
    return Layout(scaled, cut, canvas, decoration.border(recipe))
