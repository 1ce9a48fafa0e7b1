"""Recipe + Facts + Terms → Plan: all geometry, every limit, in exact integers.

Theory. A picture passes through six sizes: *stored* (as the file holds it), *upright* (its EXIF orientation applied;
what `crop` speaks of), *base* (after crop, trim, `rot`, `flip`, `flop`; what `w`, `h` and focal points speak of),
*scaled* (after the resize), *shown* (after the cover crop or on its canvas) and *final* (with its border). Pixels are
turned when they are few: so crop and scaled sizes are carried back into the stored orientation.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

from proxy.core import decoration
from proxy.core.encoding import choose_encoding
from proxy.core.errors import OverLimit
from proxy.core.facts import Facts
from proxy.core.fitting import crop_box, cut_and_canvas, scaled_size, target_box, user_turn
from proxy.core.formats import ALWAYS_WRITTEN, AVIF, EXTRA_WRITTEN, GIF, JPEG, PAGED, PROFILED, VECTORS, Format
from proxy.core.geometry import Box, Size, Turn, scale, upright
from proxy.core.limits import Limits
from proxy.core.negotiation import Client, choose_format
from proxy.core.options import FOUND
from proxy.core.plan import Effect, Interest, Page, Plan, Trim
from proxy.core.recipe import Recipe
from proxy.core.tenant import Manner

_PLACEHOLDERS = {"blurhash": 32, "thumbhash": 100, "lqip": 32}
"""Longest side of what a placeholder is made of, in pixels."""
_LQIP_BLUR, _LQIP_QUALITY = 1.0, 40


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an installation can do beyond what every one can."""

    writes: tuple[Format, ...] = ALWAYS_WRITTEN
    faces: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan depends on beside the recipe and the original."""

    limits: Limits = field(default_factory=Limits)
    client: Client = "base"
    manner: Manner = field(default_factory=Manner)
    watermark: Size | None = None
    """The upright size of the watermark the recipe names."""
    equipment: Equipment = field(default_factory=Equipment)


def plan_render(recipe: Recipe, facts: Facts, terms: Terms, trimmed: Box | None = None) -> Plan | Trim | Page:
    """Plan one derivative; OverLimit tells the number that was exceeded.

    Where the recipe wants another page than the facts are of, those of that page are asked for. Where it trims, the
    pixels have to be asked: the answer to that question is `trimmed`.
    """
    check_source(facts, terms.limits)
    if facts.format in PAGED and (page := _first_frame(recipe, facts)) != facts.page:
        return Page(page)
    stands_up = upright(facts.orientation)
    whole = Box(0, 0, facts.upright.width, facts.upright.height)
    crop = whole if recipe.crop is None else crop_box(recipe.crop, facts.upright)
    if recipe.trim is not None:
        stored = stands_up.inverse.of_box(crop, facts.upright)
        if trimmed is None:
            return Trim(facts.format, _first_frame(recipe, facts), stored, _corner(stands_up, stored), recipe.trim)
        kept = Box(stored.left + trimmed.left, stored.top + trimmed.top, trimmed.width, trimmed.height)
        crop = stands_up.of_box(kept, facts.stored)
    if recipe.gravity == "face" and not terms.equipment.faces:
        raise OverLimit("This installation finds no faces: set DARKROOM_FACES, or say gsmart.")
    turned = user_turn(recipe)
    base = turned.of_size(crop.size)
    recipe = _reduced(recipe, base)
    target = target_box(recipe, base)
    scaled = scaled_size(recipe, base, target)
    cut, canvas = cut_and_canvas(recipe, scaled, target)
    shown = cut.size if cut else scaled
    canvas = decoration.padded(recipe, canvas, shown)
    border = decoration.border(recipe)
    final = _widened(canvas.size if canvas else shown, border.width if border else 0)
    first_frame, frames, asked = _frames(recipe, facts, final, terms)
    _check_output(asked, final, frames, terms.limits)
    _check_work(base, scaled, terms.limits)

    wide = _is_wide(recipe, facts, asked, terms)
    stored_crop = None if crop == whole else stands_up.inverse.of_box(crop, facts.upright)
    turn = stands_up.then(turned)
    stored_scaled = turn.of_size(scaled)
    radius = decoration.radius(recipe, final)
    return Plan(
        source=facts.format,
        first_frame=first_frame,
        frames=frames,
        load=None if stored_crop else _drawn_size(facts, stored_scaled, terms.limits),
        load_shrink=_load_shrink(facts, stored_scaled) if stored_crop is None else 1,
        crop=stored_crop,
        scaled=stored_scaled,
        wide=wide,
        linear=terms.manner.linear,
        crisp=terms.manner.crisp and scaled.pixels < base.pixels,
        turn=turn,
        cut=cut,
        interest=_interest(recipe.gravity) if cut else None,
        effects=_effects(recipe),
        canvas=canvas,
        background=decoration.background(recipe.background, asked),
        border=border,
        radius=radius,
        outside=None if radius is None or asked.alpha else decoration.background(recipe.background, asked),
        overlays=decoration.overlays(recipe, final, terms.watermark),
        size=final,
        untouched=_untouched(recipe) and asked is facts.format,
        encoding=choose_encoding(asked, recipe, final.pixels * frames, wide=wide),
    )


def planned(recipe: Recipe, facts: Facts, terms: Terms | None = None) -> Plan:
    """Plan as if there were no border to trim, and all pages were like the first."""
    terms = terms or Terms()
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
    target = target_box(sized, base) or base
    quality = _LQIP_QUALITY if recipe.format == "lqip" else None
    return replace(sized, dpr=(sized.dpr or 1) * min(Fraction(1), Fraction(side, target.longest)), quality=quality)


def _is_wide(recipe: Recipe, facts: Facts, asked: Format, terms: Terms) -> bool:
    """Tell whether colours beyond sRGB are kept: an old client that `auto` knows nothing of may not heed a profile."""
    heeded = recipe.format != "auto" or terms.client != "base"
    return terms.manner.wide and facts.icc and asked in PROFILED and heeded


def _effects(recipe: Recipe) -> tuple[Effect, ...]:
    soft = (Effect("blur", (_LQIP_BLUR,)),) if recipe.format == "lqip" else ()
    return decoration.effects(recipe) + soft


def _untouched(recipe: Recipe) -> bool:
    """Tell whether the recipe changes nothing that can be seen."""
    return recipe == Recipe(format=recipe.format, dl=recipe.dl)


def _widened(size: Size, by: int) -> Size:
    return Size(size.width + 2 * by, size.height + 2 * by)


def check_source(facts: Facts, limits: Limits) -> None:
    """Refuse an original whose header alone says that it is too much."""
    pixels, frames = facts.stored.pixels, facts.frames
    if pixels > limits.source_pixels:
        raise OverLimit(f"The original has {pixels} pixels; the limit is {limits.source_pixels}.")
    if facts.stored.longest > limits.source_side:
        raise OverLimit(
            f"The original is {facts.width}×{facts.height}; the limit of the longer side is {limits.source_side}."
        )
    if frames > limits.source_frames:
        raise OverLimit(f"The original has {frames} frames; the limit is {limits.source_frames}.")
    if frames > 1 and pixels * frames > limits.animation_pixels:
        raise OverLimit(
            f"The original has {pixels * frames} pixels in {frames} frames; the limit is {limits.animation_pixels}."
        )


def _interest(gravity: str | None) -> Interest | None:
    return cast("Interest", gravity) if gravity in FOUND else None


def _frames(recipe: Recipe, facts: Facts, final: Size, terms: Terms) -> tuple[int, int, Format]:
    """Give (first frame from 0, how many, output format): animated in, animated out, where the format can."""
    first = _first_frame(recipe, facts)
    one = recipe.still or recipe.frame is not None or recipe.page is not None or not facts.format.animation
    animated = facts.frames > 1 and not one
    affordable = final.pixels <= terms.limits.avif_pixels and final.longest <= terms.limits.avif_side
    asked = choose_format(recipe.format, facts, terms.client, animated=animated, within_avif_budget=affordable)
    if asked in EXTRA_WRITTEN and asked not in terms.equipment.writes:
        raise OverLimit(f"This installation does not write {asked.name}: set DARKROOM_FORMATS, or ask for avif.")
    return first, facts.frames if animated and asked.animation else 1, asked


def _first_frame(recipe: Recipe, facts: Facts) -> int:
    """Give the frame or page that is asked for, from 0."""
    first = (recipe.page or recipe.frame or 1) - 1
    if first >= facts.frames:
        what = "Page" if recipe.page else "Frame"
        raise OverLimit(f"{what} {first + 1} is asked for; the original has {facts.frames}.")
    return first


def _check_output(asked: Format, final: Size, frames: int, limits: Limits) -> None:
    side = min(limits.output_side, asked.largest_side)
    if asked is AVIF:
        side = min(side, limits.avif_side)
    if final.longest > side:
        raise OverLimit(
            f"The picture would be {final.width}×{final.height}; the longest side is {side}: say a smaller w."
        )
    if final.pixels * frames > limits.output_pixels:
        raise OverLimit(f"The picture would have {final.pixels * frames} pixels; the limit is {limits.output_pixels}.")
    most = {AVIF: limits.avif_pixels, GIF: limits.gif_pixels}.get(asked)
    if most is not None and final.pixels * frames > most:
        told = f"The {asked.name.upper()} would have {final.pixels * frames} pixels"
        raise OverLimit(f"{told}; the limit is {most}: say a smaller w.")


def _check_work(base: Size, scaled: Size, limits: Limits) -> None:
    """Refuse, say, a narrow strip enlarged to cover a tall box: few pixels in the end, very many on the way."""
    if scaled.pixels > max(base.pixels, limits.output_pixels):
        told = f"The picture would be enlarged to {scaled.pixels} pixels on the way"
        raise OverLimit(f"{told}; the limit is {limits.output_pixels}.")


def _drawn_size(facts: Facts, scaled: Size, limits: Limits) -> Size | None:
    """Give the size at which a vector is drawn, in its own ratio: no side is enlarged later, where that is sane."""
    if facts.format not in VECTORS:
        return None
    across, down = (scaled.width, facts.width), (scaled.height, facts.height)
    larger, smaller = (across, down) if across[0] * down[1] > down[0] * across[1] else (down, across)
    drawn = scale(facts.stored, larger)
    return drawn if drawn.pixels <= max(scaled.pixels, limits.output_pixels) else scale(facts.stored, smaller)


def _load_shrink(facts: Facts, scaled: Size) -> int:
    """Let the JPEG decoder reduce, but leave the resize a factor of two: none at all costs visible sharpness."""
    if facts.format is not JPEG:
        return 1
    room = min(facts.width // scaled.width, facts.height // scaled.height)
    return next(shrink for shrink in (8, 4, 2, 1) if shrink == 1 or room >= 2 * shrink)
