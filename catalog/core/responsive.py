"""Responsive images: the recipes of a `srcset`, and the size of each, planned from an image's facts without its pixels.

    w descriptors   where widths are given, or the recipe has no side: one candidate for each width that the image has
    x descriptors   otherwise: the recipe at 1, 2 and 3 device pixels, as far as the image has pixels for them

Descriptors say what comes out, not what was asked for: an image is not enlarged, so two widths may be one candidate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size, ratio
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PAGED
from proxy.core.planning.planner import Capabilities, PlanContext, resolve_plan
from proxy.core.recipe.option_kinds import decimal
from proxy.core.recipe.options import TEXT_FORMATS
from proxy.core.recipe.presets import apply_presets
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant

WIDTHS: Final = (320, 640, 960, 1_280, 1_920, 2_560)
"""Widths of a recipe that has no side, where none are given; in pixels."""
_DPRS: Final = (1, 2, 3)
_DENSITY_DIGITS: Final = 2


@dataclass(frozen=True, slots=True)
class Rendition:
    """What a recipe makes of an image."""

    recipe: Recipe
    """As written: its preset is not expanded."""
    size: Size | None
    """In pixels; None for texts, and where only the pixels tell (after a trim, on a later page)."""
    format: str
    """Name of the format; `auto` where the client decides."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image of a `srcset`."""

    rendition: Rendition
    descriptor: str
    """`640w` or `2x`."""


@dataclass(frozen=True, slots=True)
class RenditionPlanner:
    """Plans what a tenant's recipes make of one image."""

    tenant: Tenant
    facts: Facts
    capabilities: Capabilities

    def plan(self, recipe: Recipe) -> Rendition:
        """Return what a recipe makes of the image.

        Raise RecipeError for an unknown preset or watermark or a conflict with them, LimitExceeded over a limit.
        """
        expanded = self.expand(recipe)
        if expanded.format == "json":
            return Rendition(recipe, None, expanded.format)
        overlay = expanded.watermark
        mark = None if overlay is None else self.tenant.watermarks[overlay.content].size
        context = PlanContext(
            self.tenant.limits, rendering=self.tenant.rendering, watermark=mark, capabilities=self.capabilities
        )
        plan = resolve_plan(expanded, self.facts, context)
        name = expanded.format if expanded.format in {"auto", *TEXT_FORMATS} else plan.encoding.format.name
        return Rendition(recipe, plan.size if self._is_certain(expanded) else None, name or plan.encoding.format.name)

    def candidates(
        self, recipe: Recipe, widths: Iterable[int] = (), *, skip_refused: bool = False
    ) -> Sequence[Candidate]:
        """Return the candidates of a recipe, the smallest first; none for texts and placeholders.

        `widths` are in pixels; without them, the module's text says which. Raise what `plan` raises for a width that
        was given; with `skip_refused`, one that is over a limit is left out.
        """
        expanded = self.expand(recipe)
        if expanded.format == "lqip" or expanded.format in TEXT_FORMATS:
            return ()
        if given := sorted(set(widths)):
            recipes = [self._with_width(recipe, expanded, width) for width in given]
            renditions = self._possible(recipes) if skip_refused else [self.plan(sized) for sized in recipes]
            return self._by_width([found for found in renditions if self._keeps_crop(found)] or renditions[:1])
        if expanded.width is None and expanded.height is None:
            return self._by_width(self._possible(replace(recipe, width=width) for width in WIDTHS))
        return self._by_density(recipe, expanded)

    def expand(self, recipe: Recipe) -> Recipe:
        """Return the recipe with its preset expanded. Raise RecipeError."""
        return apply_presets(recipe, self.tenant.presets, self.tenant.watermarks)

    def _is_certain(self, expanded: Recipe) -> bool:
        """Return whether the facts tell the size."""
        later_page = self.facts.format in PAGED and (expanded.page or expanded.frame or 1) > 1
        return expanded.trim is None and not later_page and expanded.format not in TEXT_FORMATS

    def _with_width(self, recipe: Recipe, expanded: Recipe, width: int) -> Recipe:
        """Return the recipe at another width and in its own proportions."""
        if expanded.width is not None and expanded.height is not None:
            return replace(recipe, width=width, height=ratio(expanded.height, width, expanded.width))
        if expanded.height is None:
            return replace(recipe, width=width)
        size = self.plan(recipe).size
        across = self.facts.upright.width if size is None else size.width
        return replace(recipe, height=ratio(expanded.height, width, across))

    def _keeps_crop(self, rendition: Rendition) -> bool:
        """Return whether a cover crop has pixels for its box: without, it would show another part of the image."""
        asked, size = self.expand(rendition.recipe), rendition.size
        if size is None or asked.width is None or asked.height is None or asked.up or not asked.crops_to_cover:
            return True
        return size.width >= asked.width and size.height >= asked.height

    def _possible(self, recipes: Iterable[Recipe]) -> list[Rendition]:
        """Plan recipes, without those that are over a limit."""
        renditions = []
        for recipe in recipes:
            try:
                renditions.append(self.plan(recipe))
            except LimitExceeded:
                break  # larger ones are over it too
        return renditions

    def _by_width(self, renditions: Iterable[Rendition]) -> list[Candidate]:
        """Return candidates with w descriptors, one for each width that comes out."""
        found: dict[int, Candidate] = {}
        for rendition in renditions:
            asked = self.expand(rendition.recipe).width or self.facts.upright.width
            width = asked if rendition.size is None else rendition.size.width
            found.setdefault(width, Candidate(rendition, f"{width}w"))
        return [found[width] for width in sorted(found)]

    def _by_density(self, recipe: Recipe, expanded: Recipe) -> list[Candidate]:
        """Return candidates with x descriptors; a recipe with a `dpr` of its own has no others."""
        first = self.plan(recipe)
        found = {"1": Candidate(first, "1x")}
        if expanded.dpr is not None:
            return list(found.values())
        for rendition in self._possible(replace(recipe, dpr=Fraction(dpr)) for dpr in _DPRS[1:]):
            asked = self.expand(rendition.recipe).dpr or Fraction(1)
            density = decimal(_density(first.size, rendition.size, asked), _DENSITY_DIGITS)
            found.setdefault(density, Candidate(rendition, f"{density}x"))
        return list(found.values())


def _density(first: Size | None, size: Size | None, asked: Fraction) -> Fraction:
    """Return how many pixels an image has for one of the first; what was asked for, but for lack of pixels."""
    if first is None or size is None or abs(size.width - asked * first.width) <= asked:
        return asked
    return Fraction(size.width, first.width)
