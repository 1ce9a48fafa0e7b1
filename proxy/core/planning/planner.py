"""Recipe + Facts + PlanContext → Plan: all geometry, every limit, in exact integers.

Pixels are turned when they are few: so crop and scaled sizes are carried back into the stored orientation.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Box, Size, Turn, scale, upright
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_WRITTEN, EXTRA_WRITTEN, JPEG, PAGED, PNG, PROFILED, VECTORS, Format
from proxy.core.planning import decoration
from proxy.core.planning.encoding import check_searched, choose_encoding
from proxy.core.planning.fitting import at_hand, crop_box, user_turn
from proxy.core.planning.layout import lay_out
from proxy.core.planning.limits import Limits, check_looked, check_output, check_source, check_work
from proxy.core.planning.negotiation import Client, choose_format
from proxy.core.planning.plan import Effect, Interest, Page, Plan, Trim
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.options import FOUND
from proxy.core.recipe.recipe import Recipe

_PLACEHOLDERS = {"blurhash": 32, "thumbhash": 100, "lqip": 32}
"""Longest side of what a placeholder is made of, in pixels."""
_LQIP_BLUR, _LQIP_QUALITY = 1.0, 40
_DRAWN_PIXELS = 50_000_000
"""No limit of a tenant's: it decides on the pixels, and would have to be in the key."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an installation can do beyond what every one can."""

    writes: tuple[Format, ...] = ALWAYS_WRITTEN
    faces: bool = False


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What a plan depends on beside the recipe and the original."""

    limits: Limits = field(default_factory=Limits)
    client: Client = "base"
    rendering: RenderingOptions = field(default_factory=RenderingOptions)
    watermark: Size | None = None
    """The upright size of the watermark the recipe names."""
    capabilities: Capabilities = field(default_factory=Capabilities)


def plan_render(recipe: Recipe, facts: Facts, terms: PlanContext, trimmed: Box | None = None) -> Plan | Trim | Page:
    """Plan one derivative; LimitExceeded tells the number that was exceeded.

    Where the recipe wants another page than the facts are of, those of that page are asked for. Where it trims, the
    pixels have to be asked: the answer to that question is `trimmed`.
    """
    check_source(facts, terms.limits)
    if facts.format in PAGED and (page := _first_frame(recipe, facts)) != facts.page:
        return Page(page)
    if recipe.gravity == "face" and not terms.capabilities.faces:
        raise LimitExceeded("This installation finds no faces: set DARKROOM_FACES, or say gsmart.")
    crop = crop_box(recipe.crop, facts.upright) if recipe.crop else _whole(facts)
    if recipe.trim is None:
        return _plan(recipe, facts, terms, crop)
    stands_up = upright(facts.orientation)
    looked = stands_up.inverse.of_box(crop, facts.upright)
    check_looked("A trim", facts.stored if facts.format in VECTORS else looked.size, terms.limits)
    if trimmed is None:
        return Trim(facts.format, _first_frame(recipe, facts), looked, _corner(stands_up, looked), recipe.trim)
    kept = Box(looked.left + trimmed.left, looked.top + trimmed.top, trimmed.width, trimmed.height)
    return _plan(recipe, facts, terms, stands_up.of_box(kept, facts.stored))


def _plan(recipe: Recipe, facts: Facts, terms: PlanContext, crop: Box) -> Plan:
    """Plan what becomes of `crop`, a box of the upright picture."""
    stands_up, turned = upright(facts.orientation), user_turn(recipe)
    turn, base = stands_up.then(turned), turned.of_size(crop.size)
    recipe = _reduced(at_hand(recipe, base), base)
    layout = lay_out(recipe, base)
    final = layout.final
    first_frame, frames, asked = _frames(recipe, facts, final, terms)
    palette = asked is PNG and bool(recipe.quality or recipe.budget)
    check_output(asked, final, frames, terms.limits, palette=palette)
    check_work(base, layout.scaled, terms.limits)
    check_searched(asked, recipe)

    stored_crop = None if crop == _whole(facts) else stands_up.inverse.of_box(crop, facts.upright)
    if stored_crop and facts.format in VECTORS:
        check_looked("A part of a drawing", facts.stored, terms.limits)
    stored_scaled = turn.of_size(layout.scaled)
    wide = _is_wide(recipe, facts, asked, terms)
    radius = decoration.radius(recipe, final)
    background = decoration.background(recipe.background, asked)
    return Plan(
        source=facts.format,
        first_frame=first_frame,
        frames=frames,
        load=None if stored_crop else _drawn_size(facts, stored_scaled),
        load_shrink=1 if stored_crop else _load_shrink(facts, stored_scaled),
        crop=stored_crop,
        scaled=stored_scaled,
        wide_gamut=wide,
        linear_light=terms.rendering.linear_light,
        sharpen_downscaled=terms.rendering.sharpen_downscaled and layout.scaled.pixels < base.pixels,
        turn=turn,
        cut=layout.cut,
        interest=_interest(recipe.gravity) if layout.cut else None,
        effects=_effects(recipe),
        canvas=layout.canvas,
        background=background,
        border=layout.border,
        radius=radius,
        outside=None if radius is None or asked.alpha else background,
        overlays=decoration.overlays(recipe, final, terms.watermark),
        size=final,
        untouched=_untouched(recipe) and asked is facts.format,
        encoding=choose_encoding(asked, recipe, final.pixels * frames, wide=wide),
    )


def planned(recipe: Recipe, facts: Facts, terms: PlanContext | None = None) -> Plan:
    """Plan as if there were no border to trim, and all pages were like the first."""
    terms = terms or PlanContext()
    found = plan_render(recipe, facts, terms)
    if isinstance(found, Page):
        facts = replace(facts, page=found.number)
        found = plan_render(recipe, facts, terms)
    if isinstance(found, Trim):
        found = plan_render(recipe, facts, terms, Box(0, 0, found.crop.width, found.crop.height))
    if not isinstance(found, Plan):
        raise TypeError("a plan asks twice")
    return found


def _corner(stands_up: Turn, stored: Box) -> tuple[int, int]:
    """Find, within the stored box, the pixel that is its top left once it stands upright."""
    size = stands_up.of_size(stored.size)
    corner = stands_up.inverse.of_box(Box(0, 0, 1, 1), size)
    return corner.left, corner.top


def _reduced(recipe: Recipe, base: Size) -> Recipe:
    """Make a placeholder's recipe: the same picture with fewer pixels, as if by a small `dpr`."""
    side = _PLACEHOLDERS.get(recipe.format or "")
    if side is None:
        return recipe
    sized = recipe if recipe.width or recipe.height else replace(recipe, width=base.width)
    sized = replace(sized, quality=_LQIP_QUALITY if recipe.format == "lqip" else None)
    longest, dpr = lay_out(sized, base).final.longest, sized.dpr or Fraction(1)
    # paddings and borders are rounded each by itself, so the first that is aimed at may be a pixel or two too large
    tries = (replace(sized, dpr=dpr * min(Fraction(1), Fraction(aim, longest))) for aim in range(side, 0, -1))
    return next((small for small in tries if lay_out(small, base).final.longest <= side), sized)


def _is_wide(recipe: Recipe, facts: Facts, asked: Format, terms: PlanContext) -> bool:
    """Tell whether colours beyond sRGB are kept: an old client that `auto` knows nothing of may not heed a profile."""
    heeded = recipe.format != "auto" or terms.client != "base"
    return terms.rendering.wide_gamut and (facts.icc or facts.wide) and asked in PROFILED and heeded


def _effects(recipe: Recipe) -> tuple[Effect, ...]:
    soft = (Effect("blur", (_LQIP_BLUR,)),) if recipe.format == "lqip" else ()
    return decoration.effects(recipe) + soft


def _untouched(recipe: Recipe) -> bool:
    """Tell whether the recipe changes nothing that can be seen."""
    return recipe == Recipe(format=recipe.format, dl=recipe.dl)


def _whole(facts: Facts) -> Box:
    return Box(0, 0, facts.upright.width, facts.upright.height)


def _interest(gravity: str | None) -> Interest | None:
    return cast("Interest", gravity) if gravity in FOUND else None


def _frames(recipe: Recipe, facts: Facts, final: Size, terms: PlanContext) -> tuple[int, int, Format]:
    """Give (first frame from 0, how many, output format): animated in, animated out, where the format can."""
    first = _first_frame(recipe, facts)
    one = recipe.still or recipe.frame is not None or recipe.page is not None or not facts.format.animation
    one = one or recipe.format in _PLACEHOLDERS
    animated = facts.frames > 1 and not one
    affordable = final.pixels <= terms.limits.avif_pixels and final.longest <= terms.limits.avif_side
    seen = replace(facts, alpha=False) if decoration.is_flat(recipe.background) else facts
    asked = choose_format(recipe.format, seen, terms.client, animated=animated, within_avif_budget=affordable)
    if asked in EXTRA_WRITTEN and asked not in terms.capabilities.writes:
        raise LimitExceeded(f"This installation does not write {asked.name}: set DARKROOM_FORMATS, or ask for avif.")
    return first, facts.frames if animated and asked.animation else 1, asked


def _first_frame(recipe: Recipe, facts: Facts) -> int:
    """Give the frame or page that is asked for, from 0."""
    first = (recipe.page or recipe.frame or 1) - 1
    if first >= facts.frames:
        what = "Page" if recipe.page else "Frame"
        raise LimitExceeded(f"{what} {first + 1} is asked for; the original has {facts.frames}.")
    return first


def _drawn_size(facts: Facts, scaled: Size) -> Size | None:
    """Give the size at which a vector is drawn, in its own ratio: no side is enlarged later, where that is sane."""
    if facts.format not in VECTORS:
        return None
    across, down = (scaled.width, facts.width), (scaled.height, facts.height)
    larger, smaller = (across, down) if across[0] * down[1] > down[0] * across[1] else (down, across)
    drawn = scale(facts.stored, larger)
    return drawn if drawn.pixels <= max(scaled.pixels, _DRAWN_PIXELS) else scale(facts.stored, smaller)


def _load_shrink(facts: Facts, scaled: Size) -> int:
    """Let the JPEG decoder reduce, but leave the resize a factor of two: none at all costs visible sharpness."""
    if facts.format is not JPEG:
        return 1
    room = min(facts.width // scaled.width, facts.height // scaled.height)
    return next(shrink for shrink in (8, 4, 2, 1) if shrink == 1 or room >= 2 * shrink)
