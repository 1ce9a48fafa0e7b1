"""The layout: the sizes of a picture on its way from the original to the derivative.

Theory. The sizes are, in order:

* *stored*: as in the file,
* *upright*: after the EXIF orientation; `crop` refers to it,
* *base*: after crop, trim, `rot`, `flip` and `flop`; `w`, `h` and focal points refer to it,
* *scaled*: after the resize,
* *placed*: after the cover crop, or on the canvas,
* *final*: with the border.

A layout describes the steps from *base* to *final*.
"""

from dataclasses import dataclass

from proxy.core.geometry import Box, Size
from proxy.core.planning import decoration
from proxy.core.planning.fitting import cut_and_canvas, scaled_size, target_box
from proxy.core.planning.plan import Line
from proxy.core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Layout:
    """The steps from the base size to the final size. `cut` and `canvas` are both set only if there is padding."""

    scaled: Size
    cut: Box | None
    """The part of `scaled` that a cover crop retains."""
    canvas: Box | None
    """The size of the canvas, and the position of the picture on it."""
    border: Line | None

    @property
    def final(self) -> Size:
        """The size of the derivative."""
        placed = self.canvas or self.cut
        size = placed.size if placed else self.scaled
        around = 2 * self.border.width if self.border else 0
        return Size(size.width + around, size.height + around)


def compute_layout(recipe: Recipe, base: Size) -> Layout:
    """Return the layout of a recipe for a picture of size `base`."""
    target = target_box(recipe, base)
    scaled = scaled_size(recipe, base, target)
    cut, canvas = cut_and_canvas(recipe, scaled, target)
    canvas = decoration.pad_canvas(recipe, canvas, cut.size if cut else scaled)
    return Layout(scaled, cut, canvas, decoration.border(recipe))
