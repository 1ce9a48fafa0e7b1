"""The parts of the pipeline: the optimised version and the eager presets, rendered as delivery renders them.

They lie in the tiers afterwards, where requests find them. A part that fails leaves the others alone. A run that is
repeated finds in the tiers what the run before has rendered.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from catalog.core.optimization import Candidate, candidate_recipes, choose
from catalog.core.tenant_rules import TenantRules
from catalog.pipeline.outcome import OPTIMIZED, PRESET_PREFIX, Failure, Outcome, Subject
from catalog.ports import Renderer
from proxy.core.errors import DarkroomError, DeadlineExceeded, RecipeError, Unavailable
from proxy.core.media.derivative import Derivative
from proxy.core.tenant import Tenant
from proxy.core.url.link import parse_target

ACCEPTS: Final = ("image/avif,image/webp", "image/webp", "")
"""One `Accept` for each class of clients: an eager `auto` preset is rendered for all three."""

Step = Callable[[int, int], Awaitable[None]]
"""Is told how many parts of how many are done, and raises where work must stop."""


class PartFailed(Exception):
    """One part could not be made."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


async def render_parts(renderer: Renderer, subject: Subject, rules: TenantRules, tenant: Tenant, step: Step) -> Outcome:
    """Render what the tenant's rules ask for; errors of a part are in the outcome."""
    presets = tuple(dict.fromkeys(rules.eager_presets))
    total, failures, optimized = int(rules.optimize) + len(presets), list[Failure](), None
    if rules.optimize:
        try:
            optimized = await optimize(renderer, subject)
        except PartFailed as error:
            failures.append(error.failure)
        await step(1, total)
    for name in presets:
        try:
            await _render_preset(renderer, subject, tenant, name)
        except PartFailed as error:
            failures.append(error.failure)
        await step(total - len(presets) + presets.index(name) + 1, total)
    failed_presets = sum(failure.part != OPTIMIZED for failure in failures)
    return Outcome(optimized, len(presets) - failed_presets, tuple(failures))


async def optimize(renderer: Renderer, subject: Subject) -> Candidate | None:
    """Return the best version of the image; None for a kind of image that has none. Raise PartFailed.

    A candidate that is over a limit or too slow is left out, as long as there is another.
    """
    rendered, errors = list[Candidate](), list[DarkroomError]()
    recipes = candidate_recipes(subject.media_type, subject.frames, subject.pixels)
    for recipe in recipes:
        try:
            derivative = await _render(renderer, subject, recipe)
        except DarkroomError as error:
            if isinstance(error, Unavailable) and not isinstance(error, DeadlineExceeded):
                raise PartFailed(Failure.of(OPTIMIZED, error)) from error
            errors.append(error)
        else:
            rendered.append(Candidate(recipe, derivative.format.media_type, len(derivative.body)))
    if not recipes:
        return None
    if not rendered:
        raise PartFailed(Failure.of(OPTIMIZED, errors[0])) from errors[0]
    return choose(Candidate(None, subject.media_type, subject.size_bytes), rendered)


async def _render_preset(renderer: Renderer, subject: Subject, tenant: Tenant, name: str) -> None:
    """Render one preset, for all classes of clients if its format is `auto`. Raise PartFailed."""
    part, preset = f"{PRESET_PREFIX}{name}", tenant.presets.get(name)
    try:
        if preset is None:
            raise RecipeError(name, 0, len(name), "The tenant has no preset of this name: change its eager presets.")
        for accept in ACCEPTS if preset.format == "auto" else ("",):
            await _render(renderer, subject, f"~{name}", accept)
    except DarkroomError as error:
        raise PartFailed(Failure.of(part, error)) from error


async def _render(renderer: Renderer, subject: Subject, recipe: str, accept: str = "") -> Derivative:
    link = parse_target(f"/t/{subject.tenant}/{subject.original}/{recipe}".encode(), b"")
    return await renderer.render_in_background(link, accept)
