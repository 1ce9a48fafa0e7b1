"""Presets: a tenant's named recipes, laid under what a recipe asks for itself."""

from collections.abc import Container, Mapping

from proxy.core.errors import RecipeError
from proxy.core.recipe import grammar
from proxy.core.recipe.recipe import Recipe


def apply_presets(recipe: Recipe, presets: Mapping[str, Recipe], watermarks: Container[str]) -> Recipe:
    """Return the recipe with its preset expanded. Raise RecipeError for an unknown preset or watermark."""
    expanded = grammar.expand(recipe, presets)
    if expanded.watermark is not None and expanded.watermark.content not in watermarks:
        text, name = str(recipe), expanded.watermark.content
        start = max(0, text.find(f"wm_{name}"))
        raise RecipeError(text, start, len(f"wm_{name}"), "The tenant has no watermark with this name.")
    return expanded
