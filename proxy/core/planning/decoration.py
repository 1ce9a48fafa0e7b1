"""Decoration: effects, padding, borders, rounded corners and overlays, which are applied after the resize.

All numbers of pixels are multiplied by `dpr`, because it requests the same picture with more pixels.
"""

from fractions import Fraction

from proxy.core.geometry import Box, Size, fit_scale, ratio, scale
from proxy.core.media.formats import Format
from proxy.core.planning.plan import Colour, Effect, Line, Overlay
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Edges, OverlayOption

WHITE = Colour(255, 255, 255)
_MARGIN_PERCENT = 3


def background(digits: str | None, output: Format) -> Colour | None:
    """Return the colour below transparent pixels from `rrggbb` or `rrggbbaa`; None leaves them transparent."""
    if digits is None:
        return None if output.alpha else WHITE
    parts = bytes.fromhex(digits)
    return Colour(*parts) if output.alpha else Colour(*parts[:3])


def is_opaque(digits: str | None) -> bool:
    """Return whether a background removes all transparency."""
    return digits is not None and len(digits) == len("rrggbb")


def effects(recipe: Recipe) -> tuple[Effect, ...]:
    """Return the effects of a recipe in the order in which they are applied."""
    dpr = recipe.dpr or Fraction(1)
    named: tuple[tuple[str, tuple[Fraction | int, ...] | None], ...] = (
        ("blur", _number(recipe.blur and recipe.blur * dpr)),
        ("sharpen", _number(recipe.sharpen)),
        ("pixelate", _number(recipe.pixelate and max(1, _times(recipe.pixelate, dpr)))),
        ("brightness", _number(recipe.brightness)),
        ("contrast", _number(recipe.contrast)),
        ("saturation", _number(recipe.saturation)),
        ("hue", _number(recipe.hue)),
        ("gamma", _number(recipe.gamma)),
        ("gray", () if recipe.gray else None),
        ("sepia", () if recipe.sepia else None),
        ("invert", () if recipe.invert else None),
        ("tint", tuple(bytes.fromhex(recipe.tint)) if recipe.tint else None),
        ("duotone", tuple(bytes.fromhex(recipe.duotone.dark + recipe.duotone.light)) if recipe.duotone else None),
    )
    return tuple(Effect(name, tuple(map(float, numbers))) for name, numbers in named if numbers is not None)


def pad_canvas(recipe: Recipe, canvas: Box | None, inner: Size) -> Box | None:
    """Return the canvas extended by the padding; without a canvas, the padding surrounds a picture of size `inner`."""
    if recipe.pad is None:
        return canvas
    pad, box = _scale_edges(recipe.pad, recipe.dpr or Fraction(1)), canvas or Box(0, 0, inner.width, inner.height)
    width, height = box.width + pad.left + pad.right, box.height + pad.top + pad.bottom
    return Box(box.left + pad.left, box.top + pad.top, width, height)


def border(recipe: Recipe) -> Line | None:
    """Return the border of a recipe, or None."""
    if recipe.border is None:
        return None
    width = max(1, _times(recipe.border.width, recipe.dpr or Fraction(1)))
    return Line(width, Colour(*bytes.fromhex(recipe.border.colour)))


def radius(recipe: Recipe, final: Size) -> int | None:
    """Return the radius of the corners: at most half of the shorter side, which is the default of `round`.

    The result is None if corners are not rounded, or if the picture has a single row or column.
    """
    if recipe.round is None:
        return None
    half = min(final.width, final.height) // 2
    return (min(half, _times(recipe.round, recipe.dpr or Fraction(1))) if recipe.round else half) or None


def overlays(recipe: Recipe, final: Size, watermark: Size | None) -> tuple[Overlay, ...]:
    """Return the overlays: first the watermark, whose own upright size is `watermark`, then the text."""
    layers = []
    if recipe.watermark is not None and watermark is not None:
        available = _available_size(recipe.watermark, final)
        size = scale(watermark, fit_scale(watermark, available, cover=False))
        fitted = Size(min(size.width, available.width), min(size.height, available.height))
        layers.append(_overlay(recipe.watermark, final, None, fitted))
    if recipe.text is not None:
        layers.append(_overlay(recipe.text, final, recipe.text.content, _available_size(recipe.text, final)))
    return tuple(layers)


def _overlay(option: OverlayOption, final: Size, text: str | None, box: Size) -> Overlay:
    shorter = min(final.width, final.height)
    margin = min(shorter * _MARGIN_PERCENT // 100, shorter * (100 - option.size_percent) // 200)
    return Overlay(text, box, option.position, margin, option.opacity_percent)


def _available_size(option: OverlayOption, final: Size) -> Size:
    return Size(ratio(final.width, option.size_percent, 100), ratio(final.height, option.size_percent, 100))


def _number(value: Fraction | int | None) -> tuple[Fraction | int] | None:
    return None if value is None else (value,)


def _times(amount: int, by: Fraction) -> int:
    return (2 * amount * by.numerator + by.denominator) // (2 * by.denominator)


def _scale_edges(edges: Edges, by: Fraction) -> Edges:
    return Edges(_times(edges.top, by), _times(edges.right, by), _times(edges.bottom, by), _times(edges.left, by))
