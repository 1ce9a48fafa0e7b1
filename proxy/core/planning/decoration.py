"""What is done to a picture after it has its size: effects, its frame, what is laid over it.

All numbers of pixels are multiplied by `dpr`: it asks for the same picture with more pixels.
"""

from fractions import Fraction

from proxy.core.geometry import Box, Size, fit_scale, ratio, scale
from proxy.core.media.formats import Format
from proxy.core.planning.plan import Colour, Effect, Line, Overlay
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Edges, OverlayOption

WHITE = Colour(255, 255, 255)
_MARGIN_PERCENT = 3


def background(asked: str | None, output: Format) -> Colour | None:
    """Give what lies below transparent pixels; None keeps them transparent."""
    if asked is None:
        return None if output.alpha else WHITE
    parts = bytes.fromhex(asked)
    return Colour(*parts) if output.alpha else Colour(*parts[:3])


def is_flat(asked: str | None) -> bool:
    """Tell whether nothing transparent is left on this background."""
    return asked is not None and len(asked) == len("rrggbb")


def effects(recipe: Recipe) -> tuple[Effect, ...]:
    """Give the effects in their order."""
    dpr = recipe.dpr or Fraction(1)
    named: tuple[tuple[str, tuple[Fraction | int, ...] | None], ...] = (
        ("blur", _one(recipe.blur and recipe.blur * dpr)),
        ("sharpen", _one(recipe.sharpen)),
        ("pixelate", _one(recipe.pixelate and max(1, _times(recipe.pixelate, dpr)))),
        ("brightness", _one(recipe.brightness)),
        ("contrast", _one(recipe.contrast)),
        ("saturation", _one(recipe.saturation)),
        ("hue", _one(recipe.hue)),
        ("gamma", _one(recipe.gamma)),
        ("gray", () if recipe.gray else None),
        ("sepia", () if recipe.sepia else None),
        ("invert", () if recipe.invert else None),
        ("tint", tuple(bytes.fromhex(recipe.tint)) if recipe.tint else None),
        ("duotone", tuple(bytes.fromhex(recipe.duotone.dark + recipe.duotone.light)) if recipe.duotone else None),
    )
    return tuple(Effect(name, tuple(map(float, numbers))) for name, numbers in named if numbers is not None)


def padded(recipe: Recipe, canvas: Box | None, inner: Size) -> Box | None:
    """Give the canvas with the padding around it; `inner` is the picture's own size where there is no canvas."""
    if recipe.pad is None:
        return canvas
    pad, on = _edges(recipe.pad, recipe.dpr or Fraction(1)), canvas or Box(0, 0, inner.width, inner.height)
    return Box(on.left + pad.left, on.top + pad.top, on.width + pad.left + pad.right, on.height + pad.top + pad.bottom)


def border(recipe: Recipe) -> Line | None:
    """Give the border."""
    if recipe.border is None:
        return None
    width = max(1, _times(recipe.border.width, recipe.dpr or Fraction(1)))
    return Line(width, Colour(*bytes.fromhex(recipe.border.colour)))


def radius(recipe: Recipe, final: Size) -> int | None:
    """Give the radius of the corners, at most half of the shorter side, which is what `round` alone asks for.

    None where a picture of one row or column leaves no corner to round.
    """
    if recipe.round is None:
        return None
    most = min(final.width, final.height) // 2
    asked = min(most, _times(recipe.round, recipe.dpr or Fraction(1))) if recipe.round else most
    return asked or None


def overlays(recipe: Recipe, final: Size, watermark: Size | None) -> tuple[Overlay, ...]:
    """Give what is laid over the picture: the watermark, of the size of its own picture, then the text."""
    found = []
    if recipe.watermark is not None and watermark is not None:
        room = _room(recipe.watermark, final)
        size = scale(watermark, fit_scale(watermark, room, cover=False))
        fitted = Size(min(size.width, room.width), min(size.height, room.height))
        found.append(_overlay(recipe.watermark, final, None, fitted))
    if recipe.text is not None:
        found.append(_overlay(recipe.text, final, recipe.text.what, _room(recipe.text, final)))
    return tuple(found)


def _overlay(option: OverlayOption, final: Size, text: str | None, box: Size) -> Overlay:
    shorter = min(final.width, final.height)
    margin = min(shorter * _MARGIN_PERCENT // 100, shorter * (100 - option.share) // 200)
    return Overlay(text, box, option.where, margin, option.opacity)


def _room(option: OverlayOption, final: Size) -> Size:
    return Size(ratio(final.width, option.share, 100), ratio(final.height, option.share, 100))


def _one(value: Fraction | int | None) -> tuple[Fraction | int] | None:
    return None if value is None else (value,)


def _times(amount: int, by: Fraction) -> int:
    return (2 * amount * by.numerator + by.denominator) // (2 * by.denominator)


def _edges(edges: Edges, by: Fraction) -> Edges:
    return Edges(_times(edges.top, by), _times(edges.right, by), _times(edges.bottom, by), _times(edges.left, by))
