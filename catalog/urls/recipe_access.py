"""Whose URLs may have which recipes: everybody's those of presets, an editor's or a signing token's all."""

from catalog.core.api_errors import NotPermitted
from catalog.core.permissions import ANY_RECIPE
from catalog.core.roles import Principal
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import is_unsigned
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant


def read_recipe(principal: Principal, tenant: Tenant, text: str) -> Recipe:
    """Parse a recipe that a caller asks for.

    Raise RecipeError, or NotPermitted for a recipe that is not a preset, nor a preset in a size of its ladder, where
    the caller may not sign any recipe.
    """
    recipe = grammar.parse(text)
    is_preset = recipe == Recipe(preset=recipe.preset) or is_unsigned(text, tenant.unsigned)
    if not is_preset:
        check_any_recipe(principal, "URLs of other recipes than presets")
    return recipe


def check_any_recipe(principal: Principal, subject: str) -> None:
    """Raise NotPermitted, about `subject`, unless the principal may sign any recipe."""
    if not principal.may(ANY_RECIPE):
        raise NotPermitted(f"{subject} need the role editor or the scope sign: ask for a preset, as ~name.")
