"""The planner: Recipe + Facts + PlanContext → Plan, with all geometry and every limit, in exact integers.

The picture is turned after the resize, when it has few pixels. Therefore the crop and the scaled size are converted to
the stored orientation.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Box, Size, Turn, scale, upright
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_WRITTEN, EXTRA_WRITTEN, JPEG, PAGED, PNG, PROFILED, VECTORS, Format
from proxy.core.planning import decoration
from proxy.core.planning.encoding import check_budget, choose_encoding
from proxy.core.planning.fitting import crop_box, limit_dpr, user_turn
from proxy.core.planning.layout import compute_layout
from proxy.core.planning.limits import Limits, check_decoded, check_output, check_source, check_work
from proxy.core.planning.negotiation import Client, choose_format
from proxy.core.planning.plan import Effect, Interest, Page, Plan, Trim
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.options import CONTENT_GRAVITIES
from proxy.core.recipe.recipe import Recipe

_PLACEHOLDERS = {"blurhash": 32, "thumbhash": 100, "lqip": 32}
"""Longer side, in pixels, of the picture that a placeholder is computed from."""
_LQIP_BLUR, _LQIP_QUALITY = 1.0, 40
_DRAWN_PIXELS = 50_000_000
"""Largest area at which a vector is drawn. As a limit of the tenant, it would have to be part of the derivative key."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The optional capabilities of an installation."""

    writes: tuple[Format, ...] = ALWAYS_WRITTEN
    """The formats that can be written."""
    faces: bool = False
    """Whether faces can be detected."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """Everything a plan depends on, except for the recipe and the original."""

    limits: Limits = field(default_factory=Limits)
    client: Client = "base"
    rendering: RenderingOptions = field(default_factory=RenderingOptions)
    watermark: Size | None = None
    """The upright size of the watermark that the recipe names."""
    capabilities: Capabilities = field(default_factory=Capabilities)


def plan_render(recipe: Recipe, facts: Facts, context: PlanContext, trimmed: Box | None = None) -> Plan | Trim | Page:
    """Return the plan of a derivative, or a request for information that it requires.

    The result is a `Page` if the recipe refers to another page than the facts do, and a `Trim` if it trims and
    `trimmed`, the answer to that request, is missing. Raise LimitExceeded if a limit is exceeded.
    """
    check_source(facts, context.limits)
    if facts.format in PAGED and (page := _first_frame(recipe, facts)) != facts.page:
        return Page(page)
    if recipe.gravity == "face" and not context.capabilities.faces:
        raise LimitExceeded("Face detection is disabled. Set DARKROOM_FACES=true, or use gsmart.")
    crop = crop_box(recipe.crop, facts.upright) if recipe.crop else _whole(facts)
    if recipe.trim is None:
        return _plan(recipe, facts, context, crop)
    to_upright = upright(facts.orientation)
    examined = to_upright.inverse.of_box(crop, facts.upright)
    check_decoded("A trim", facts.stored if facts.format in VECTORS else examined.size, context.limits)
    if trimmed is None:
        return Trim(facts.format, _first_frame(recipe, facts), examined, _corner(to_upright, examined), recipe.trim)
    inner = Box(examined.left + trimmed.left, examined.top + trimmed.top, trimmed.width, trimmed.height)
    return _plan(recipe, facts, context, to_upright.of_box(inner, facts.stored))


def _plan(recipe: Recipe, facts: Facts, context: PlanContext, crop: Box) -> Plan:
    """Return the plan for `crop`, a box of the upright picture."""
    to_upright, requested_turn = upright(facts.orientation), user_turn(recipe)
    turn, base = to_upright.then(requested_turn), requested_turn.of_size(crop.size)
    recipe = _placeholder_recipe(limit_dpr(recipe, base), base)
    layout = compute_layout(recipe, base)
    final = layout.final
    first_frame, frames, output = _frames(recipe, facts, final, context)
    palette = output is PNG and bool(recipe.quality or recipe.budget)
    check_output(output, final, frames, context.limits, palette=palette)
    check_work(base, layout.scaled, context.limits)
    check_budget(output, recipe)

    stored_crop = None if crop == _whole(facts) else to_upright.inverse.of_box(crop, facts.upright)
    if stored_crop and facts.format in VECTORS:
        check_decoded("A crop of a vector picture", facts.stored, context.limits)
    stored_scaled = turn.of_size(layout.scaled)
    wide = _preserves_wide_gamut(recipe, facts, output, context)
    radius = decoration.radius(recipe, final)
    background = decoration.background(recipe.background, output)
    return Plan(
        source=facts.format,
        first_frame=first_frame,
        frames=frames,
        load=None if stored_crop else _drawn_size(facts, stored_scaled),
        load_shrink=1 if stored_crop else _load_shrink(facts, stored_scaled),
        crop=stored_crop,
        scaled=stored_scaled,
        wide_gamut=wide,
        linear_light=context.rendering.linear_light,
        sharpen_downscaled=context.rendering.sharpen_downscaled and layout.scaled.pixels < base.pixels,
        turn=turn,
        cut=layout.cut,
        interest=_interest(recipe.gravity) if layout.cut else None,
        effects=_effects(recipe),
        canvas=layout.canvas,
        background=background,
        border=layout.border,
        radius=radius,
        outside=None if radius is None or output.alpha else background,
        overlays=decoration.overlays(recipe, final, context.watermark),
        size=final,
        untouched=_changes_nothing(recipe) and output is facts.format,
        encoding=choose_encoding(output, recipe, final.pixels * frames, wide=wide),
    )


def resolve_plan(recipe: Recipe, facts: Facts, context: PlanContext | None = None) -> Plan:
    """Return the plan under the assumption that there is no border to trim and all pages are equal in size."""
    context = context or PlanContext()
    plan = plan_render(recipe, facts, context)
    if isinstance(plan, Page):
        facts = replace(facts, page=plan.number)
        plan = plan_render(recipe, facts, context)
    if isinstance(plan, Trim):
        plan = plan_render(recipe, facts, context, Box(0, 0, plan.crop.width, plan.crop.height))
    if not isinstance(plan, Plan):
        raise TypeError("the planner requested the same information twice")
    return plan


def _corner(to_upright: Turn, stored: Box) -> tuple[int, int]:
    """Return the pixel of a stored box that becomes its top left corner in the upright picture."""
    size = to_upright.of_size(stored.size)
    corner = to_upright.inverse.of_box(Box(0, 0, 1, 1), size)
    return corner.left, corner.top


def _placeholder_recipe(recipe: Recipe, base: Size) -> Recipe:
    """Return the recipe with the pixels of its placeholder, as if it had a small `dpr`; other recipes are unchanged."""
    side = _PLACEHOLDERS.get(recipe.format or "")
    if side is None:
        return recipe
    sized = recipe if recipe.width or recipe.height else replace(recipe, width=base.width)
    sized = replace(sized, quality=_LQIP_QUALITY if recipe.format == "lqip" else None)
    longest, dpr = compute_layout(sized, base).final.longest, sized.dpr or Fraction(1)
    # paddings and borders are rounded separately, so the first attempt may be a pixel or two too large
    attempts = (replace(sized, dpr=dpr * min(Fraction(1), Fraction(goal, longest))) for goal in range(side, 0, -1))
    return next((small for small in attempts if compute_layout(small, base).final.longest <= side), sized)


def _preserves_wide_gamut(recipe: Recipe, facts: Facts, output: Format, context: PlanContext) -> bool:
    """Return whether colours outside sRGB are preserved. An unknown client of `auto` may ignore colour profiles."""
    applies_profiles = recipe.format != "auto" or context.client != "base"
    return context.rendering.wide_gamut and (facts.icc or facts.wide) and output in PROFILED and applies_profiles


def _effects(recipe: Recipe) -> tuple[Effect, ...]:
    softening = (Effect("blur", (_LQIP_BLUR,)),) if recipe.format == "lqip" else ()
    return decoration.effects(recipe) + softening


def _changes_nothing(recipe: Recipe) -> bool:
    """Return whether the recipe requests no visible change."""
    return recipe == Recipe(format=recipe.format, dl=recipe.dl)


def _whole(facts: Facts) -> Box:
    return Box(0, 0, facts.upright.width, facts.upright.height)


def _interest(gravity: str | None) -> Interest | None:
    return cast("Interest", gravity) if gravity in CONTENT_GRAVITIES else None


def _frames(recipe: Recipe, facts: Facts, final: Size, context: PlanContext) -> tuple[int, int, Format]:
    """Return the first frame, counted from 0, the number of frames, and the output format.

    An animation remains animated if the output format supports it and the recipe does not select a frame.
    """
    first = _first_frame(recipe, facts)
    single = recipe.still or recipe.frame is not None or recipe.page is not None or not facts.format.animation
    single = single or recipe.format in _PLACEHOLDERS
    animated = facts.frames > 1 and not single
    affordable = final.pixels <= context.limits.avif_pixels and final.longest <= context.limits.avif_side
    flattened = replace(facts, alpha=False) if decoration.is_opaque(recipe.background) else facts
    output = choose_format(recipe.format, flattened, context.client, animated=animated, within_avif_budget=affordable)
    if output in EXTRA_WRITTEN and output not in context.capabilities.writes:
        raise LimitExceeded(f"Writing {output.name} is disabled. Add it to DARKROOM_FORMATS, or use avif.")
    return first, facts.frames if animated and output.animation else 1, output


def _first_frame(recipe: Recipe, facts: Facts) -> int:
    """Return the requested frame or page, counted from 0."""
    first = (recipe.page or recipe.frame or 1) - 1
    if first >= facts.frames:
        kind = "Page" if recipe.page else "Frame"
        raise LimitExceeded(f"{kind} {first + 1} does not exist; the original has {facts.frames}.")
    return first


def _drawn_size(facts: Facts, scaled: Size) -> Size | None:
    """Return the size at which a vector is drawn, in its own aspect ratio, or None for other formats.

    No side has to be enlarged later, unless the vector would exceed `_DRAWN_PIXELS`.
    """
    if facts.format not in VECTORS:
        return None
    across, down = (scaled.width, facts.width), (scaled.height, facts.height)
    larger, smaller = (across, down) if across[0] * down[1] > down[0] * across[1] else (down, across)
    drawn = scale(facts.stored, larger)
    return drawn if drawn.pixels <= max(scaled.pixels, _DRAWN_PIXELS) else scale(facts.stored, smaller)


def _load_shrink(facts: Facts, scaled: Size) -> int:
    """Return the reduction by the JPEG decoder. A factor of two is left to the resize, for the sake of sharpness."""
    if facts.format is not JPEG:
        return 1
    reduction = min(facts.width // scaled.width, facts.height // scaled.height)
    return next(shrink for shrink in (8, 4, 2, 1) if shrink == 1 or reduction >= 2 * shrink)
