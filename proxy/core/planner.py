"""Recipe + Facts + Limits → Plan: all geometry, every limit, in exact integers.

Theory. A picture passes through five sizes: *stored* (as the file holds it), *upright* (its EXIF orientation applied;
what `crop` speaks of), *base* (after crop, `rot`,
`flip`, `flop`; what `w`, `h` and focal points speak of), *scaled* (after the resize) and *final* (after the cover crop
or on the contain canvas). Pixels are
turned last, when there are few of them: so crop and scaled sizes are carried back into the stored orientation.

Rounding is half up everywhere. The five fits and their centring follow sharp (`fit`, `withoutEnlargement`): without
`up` no pixel is ever
enlarged, so a cover crop of a small original is smaller than its box.
"""

from fractions import Fraction

from proxy.core.encoding import choose_encoding
from proxy.core.errors import OverLimit
from proxy.core.facts import Facts
from proxy.core.formats import AVIF, JPEG, Format
from proxy.core.geometry import FLIP, FLOP, Box, Size, Turn, fit_scale, ratio, scale, upright
from proxy.core.limits import Limits
from proxy.core.negotiation import Client, choose_format
from proxy.core.plan import Colour, Interest, Plan
from proxy.core.recipe import Crop, Focus, Recipe

WHITE = Colour(255, 255, 255)


def plan_render(recipe: Recipe, facts: Facts, limits: Limits, client: Client = "base") -> Plan:
    """Plan one derivative; OverLimit tells the number that was exceeded."""
    check_source(facts, limits)
    whole = Box(0, 0, facts.upright.width, facts.upright.height)
    crop = whole if recipe.crop is None else _crop_box(recipe.crop, facts.upright)
    user_turn = _user_turn(recipe)
    base = user_turn.of_size(crop.size)
    target = _target(recipe, base)
    scaled = _scaled(recipe, base, target)
    cut, canvas = _frame(recipe, scaled, target)
    final = (canvas or cut or Box(0, 0, scaled.width, scaled.height)).size
    first_frame, frames, asked = _frames(recipe, facts, final, limits, client)
    _check_output(asked, final, frames, limits)
    _check_work(base, scaled, limits)

    stands_up = upright(facts.orientation)
    stored_crop = None if crop == whole else stands_up.inverse.of_box(crop, facts.upright)
    turn = stands_up.then(user_turn)
    stored_scaled = turn.of_size(scaled)
    return Plan(
        source=facts.format,
        first_frame=first_frame,
        frames=frames,
        load_shrink=_load_shrink(facts, stored_scaled) if stored_crop is None else 1,
        crop=stored_crop,
        scaled=stored_scaled,
        turn=turn,
        cut=cut,
        interest=_interest(recipe.gravity) if cut else None,
        canvas=canvas,
        background=_background(recipe.background, asked),
        size=final,
        encoding=choose_encoding(asked, recipe.quality, final.pixels * frames),
    )


def check_source(facts: Facts, limits: Limits) -> None:
    """Refuse an original whose header alone says that it is too much."""
    pixels, frames = facts.stored.pixels, facts.frames
    if pixels > limits.source_pixels:
        raise OverLimit(f"The original has {pixels} pixels; the limit is {limits.source_pixels}.")
    if frames > limits.source_frames:
        raise OverLimit(f"The original has {frames} frames; the limit is {limits.source_frames}.")
    if frames > 1 and pixels * frames > limits.animation_pixels:
        raise OverLimit(
            f"The original has {pixels * frames} pixels in {frames} frames; the limit is {limits.animation_pixels}."
        )


def _crop_box(crop: Crop, within: Size) -> Box:
    """Give the crop in whole pixels of the upright picture; its edges are rounded, not its sides."""
    across, down = (within.width, within.height) if crop.relative else (1, 1)
    left, right = _round(crop.left * across), _round((crop.left + crop.width) * across)
    top, bottom = _round(crop.top * down), _round((crop.top + crop.height) * down)
    if crop.relative:
        left, top = min(left, within.width - 1), min(top, within.height - 1)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
    if right > within.width or bottom > within.height:
        raise OverLimit(f"The crop reaches to {right}×{bottom}; the original is {within.width}×{within.height}.")
    return Box(left, top, right - left, bottom - top)


def _round(amount: Fraction) -> int:
    return int(amount + Fraction(1, 2))


def _user_turn(recipe: Recipe) -> Turn:
    turn = Turn(quarters=(recipe.rot or 0) // 90)
    turn = turn.then(FLIP) if recipe.flip else turn
    return turn.then(FLOP) if recipe.flop else turn


def _target(recipe: Recipe, base: Size) -> Size | None:
    """Give the box that is asked for; None when no side is. A missing side follows the picture's own ratio."""
    width, height = recipe.width, recipe.height
    if width is None and height is None:
        return None
    dpr = recipe.dpr or Fraction(1)
    across, down = recipe.aspect or (base.width, base.height)
    if width is not None:
        wide = ratio(width, dpr.numerator, dpr.denominator)
        high = ratio(wide, down, across) if height is None else ratio(height, dpr.numerator, dpr.denominator)
        return Size(wide, high)
    high = ratio(height or 1, dpr.numerator, dpr.denominator)
    return Size(ratio(high, across, down), high)


def _scaled(recipe: Recipe, base: Size, target: Size | None) -> Size:
    if target is None:
        return base
    fit = recipe.fit or recipe.default_fit
    if fit == "fill" or not recipe.both_sides:  # a side that followed the ratio is already exact
        return target if recipe.up else Size(min(target.width, base.width), min(target.height, base.height))
    by = fit_scale(base, target, cover=fit in ("cover", "outside"))
    return scale(base, by) if recipe.up or by[0] < by[1] else base


def _frame(recipe: Recipe, scaled: Size, target: Size | None) -> tuple[Box | None, Box | None]:
    """Give (cut, canvas): what a cover crop keeps, and where contain lays the picture."""
    if target is None or not recipe.both_sides or scaled == target:
        return None, None
    fit = recipe.fit or recipe.default_fit
    if fit == "cover":
        kept = Size(min(scaled.width, target.width), min(scaled.height, target.height))
        return (None if kept == scaled else _place(recipe, scaled, kept)), None
    if fit == "contain":
        left, top = (target.width - scaled.width) // 2, (target.height - scaled.height) // 2
        return None, Box(left, top, target.width, target.height)
    return None, None


def _place(recipe: Recipe, scaled: Size, kept: Size) -> Box:
    """Put the cover crop where gravity or the focal point says; the centre leans right and down, as sharp's does."""
    spare_width, spare_height = scaled.width - kept.width, scaled.height - kept.height
    if recipe.focus is not None:
        left, top = _focused(recipe.focus, scaled, kept)
    else:
        gravity = recipe.gravity if recipe.gravity not in ("smart", "entropy") else None
        left = _lean(gravity, "w", "e", spare_width)
        top = _lean(gravity, "n", "s", spare_height)
    return Box(left, top, kept.width, kept.height)


def _lean(gravity: str | None, low: str, high: str, spare: int) -> int:
    if gravity is not None and low in gravity:
        return 0
    return spare if gravity is not None and high in gravity else (spare + 1) // 2


def _focused(focus: Focus, scaled: Size, kept: Size) -> tuple[int, int]:
    left = _round(max(Fraction(0), focus.x * scaled.width - Fraction(kept.width, 2)))
    top = _round(max(Fraction(0), focus.y * scaled.height - Fraction(kept.height, 2)))
    return min(left, scaled.width - kept.width), min(top, scaled.height - kept.height)


def _interest(gravity: str | None) -> Interest | None:
    return "smart" if gravity == "smart" else "entropy" if gravity == "entropy" else None


def _frames(recipe: Recipe, facts: Facts, final: Size, limits: Limits, client: Client) -> tuple[int, int, Format]:
    """Give (first frame from 0, how many, output format): animated in, animated out, where the format can."""
    first = (recipe.frame or 1) - 1
    if first >= facts.frames:
        raise OverLimit(f"Frame {first + 1} is asked for; the original has {facts.frames}.")
    animated = facts.frames > 1 and not recipe.still and recipe.frame is None
    affordable = final.pixels <= limits.avif_pixels and final.longest <= AVIF.largest_side
    asked = choose_format(recipe.format, facts, client, animated=animated, within_avif_budget=affordable)
    return first, facts.frames if animated and asked.animation else 1, asked


def _check_output(asked: Format, final: Size, frames: int, limits: Limits) -> None:
    side = min(limits.output_side, asked.largest_side)
    if final.longest > side:
        raise OverLimit(
            f"The picture would be {final.width}×{final.height}; the longest side is {side}: say a smaller w."
        )
    if final.pixels * frames > limits.output_pixels:
        raise OverLimit(f"The picture would have {final.pixels * frames} pixels; the limit is {limits.output_pixels}.")
    if asked is AVIF and final.pixels > limits.avif_pixels:
        raise OverLimit(
            f"The AVIF would have {final.pixels} pixels; the limit is {limits.avif_pixels}: say a smaller w."
        )


def _check_work(base: Size, scaled: Size, limits: Limits) -> None:
    """Refuse, say, a narrow strip enlarged to cover a tall box: few pixels in the end, very many on the way."""
    if scaled.pixels > max(base.pixels, limits.output_pixels):
        told = f"The picture would be enlarged to {scaled.pixels} pixels on the way"
        raise OverLimit(f"{told}; the limit is {limits.output_pixels}.")


def _load_shrink(facts: Facts, scaled: Size) -> int:
    """Let the JPEG decoder reduce, but leave the resize a factor of two: none at all costs visible sharpness."""
    if facts.format is not JPEG:
        return 1
    room = min(facts.width // scaled.width, facts.height // scaled.height)
    return next(shrink for shrink in (8, 4, 2, 1) if shrink == 1 or room >= 2 * shrink)


def _background(asked: str | None, output: Format) -> Colour | None:
    if asked is None:
        return None if output.alpha else WHITE
    parts = bytes.fromhex(asked)
    return Colour(*parts) if output.alpha else Colour(*parts[:3])
