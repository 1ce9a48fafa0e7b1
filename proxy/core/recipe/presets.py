"""A tenant's rules for a recipe: its presets in their place, and no name that is not its own."""

from proxy.core.errors import RecipeFault
from proxy.core.recipe import grammar
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant


def ruled(tenant: Tenant, said: Recipe) -> Recipe:
    """Give the recipe with the tenant's presets in it; RecipeFault for a preset or a watermark it does not have."""
    recipe = grammar.expand(said, tenant.presets)
    if recipe.watermark is not None and recipe.watermark.what not in tenant.watermarks:
        text, name = str(said), recipe.watermark.what
        start = max(0, text.find(f"wm_{name}"))
        raise RecipeFault(text, start, len(f"wm_{name}"), "the tenant has no watermark of this name")
    return recipe
