"""Conflicts between the options of a recipe, and the merging of a recipe with its preset."""

from dataclasses import fields, replace
from typing import Any

from proxy.core.recipe.options import TEXT_FORMATS
from proxy.core.recipe.recipe import Recipe, is_set

_ALTERNATIVES = (
    ("page", "frame", "still"),
    ("gravity", "focus"),
    ("quality", "target", "budget", "lossless"),
)
"""Groups of options that exclude each other."""

_NAMES = {
    "gravity": "g",
    "focus": "fp",
    "quality": "q{1…100}",
    "target": "q{low good best}",
    "budget": "max{n}k",
}
"""Names of options for error messages, where they differ from the field."""
_ENCODER_OPTIONS = {"quality", "target", "budget", "lossless", "prog", "keep"}
"""Options of the encoder; they do not apply to texts and placeholders."""
_WITHOUT_QUALITY = (*TEXT_FORMATS, "lqip", "tiff")
"""Formats without a quality: they override the encoder options of a preset."""
_LOSSLESS = ("webp", "avif", "jxl")
_PROGRESSIVE = (None, "auto", "jpeg", "png", "gif")
_TARGETED = (None, "auto", "jpeg", "webp", "avif", "jxl")
_FITTED = (*_TARGETED, "png")
_WITH_JSON = {"dl", "format"}


def find_conflicts(recipe: Recipe) -> list[tuple[str, str]]:
    """Return the conflicts of a recipe, each as (field to underline, sentence)."""
    return [*_exclusive_options(recipe), *_missing_sides(recipe), *_format_conflicts(recipe)]


def merge(preset: Recipe, recipe: Recipe) -> Recipe:
    """Return the preset with the options of the recipe, which override those that they exclude."""
    values = _set_options(recipe)
    removed = {name for group in _ALTERNATIVES if values.keys() & set(group) for name in group if name not in values}
    if recipe.format in _WITHOUT_QUALITY:
        supported = {"keep"} if recipe.format == "tiff" else set()
        removed |= _ENCODER_OPTIONS - supported - values.keys()
    defaults: dict[str, Any] = {name: Recipe.__dataclass_fields__[name].default for name in removed}
    return replace(preset, **defaults, **values | {"preset": None})


def _set_options(recipe: Recipe) -> dict[str, Any]:
    return {field.name: value for field in fields(recipe) if is_set(value := getattr(recipe, field.name))}


def _exclusive_options(recipe: Recipe) -> list[tuple[str, str]]:
    conflicts = []
    for group in _ALTERNATIVES:
        names = [name for name in group if is_set(getattr(recipe, name))]
        if len(names) > 1:
            alternatives = " and ".join(_NAMES.get(name, name) for name in names)
            conflicts.append((names[-1], f"Specify only one of {alternatives}."))
    return conflicts


def _missing_sides(recipe: Recipe) -> list[tuple[str, str]]:
    sides = (recipe.width is not None) + (recipe.height is not None)
    cover = "applies to a cover crop only: specify both sides and no other fit."
    rules = (
        ("aspect", sides != 1, "Option ar requires exactly one of w and h."),
        (
            "fit",
            recipe.fit != "inside" and not recipe.both_sides,
            "A fit requires both sides: specify w and h, or one of them and ar.",
        ),
        ("fit", recipe.fit == "inside" and not sides, "Option inside requires w or h."),
        ("up", not sides, "Option up requires w or h."),
        ("dpr", not sides, "Option dpr multiplies w and h: specify at least one of them."),
        ("gravity", not recipe.crops_to_cover, f"Option g {cover}"),
        ("focus", not recipe.crops_to_cover, f"Option fp {cover}"),
    )
    return [(field, reason) for field, violated, reason in rules if violated and is_set(getattr(recipe, field))]


def _format_conflicts(recipe: Recipe) -> list[tuple[str, str]]:
    is_placeholder = recipe.format in (*TEXT_FORMATS, "lqip")
    names = set(_set_options(recipe))
    conflicts = [
        (field, f"Format {recipe.format} does not support option {_NAMES.get(field, field)}.")
        for field in sorted(names & _ENCODER_OPTIONS)
        if is_placeholder
    ]
    if recipe.format == "json" and names - _WITH_JSON:
        reason = "Format json returns the facts of the original: it supports no option except dl."
        conflicts.append((min(names - _WITH_JSON), reason))
    rules = (
        (
            "lossless",
            recipe.format not in _LOSSLESS,
            "Option lossless requires webp, avif or jxl; png and tiff are always lossless.",
        ),
        ("prog", recipe.format not in _PROGRESSIVE, "Option prog requires jpeg, png, gif or auto."),
        ("target", recipe.format not in _TARGETED, "A quality target requires jpeg, webp, avif, jxl or auto."),
        ("budget", recipe.format not in _FITTED, "A byte budget requires jpeg, webp, avif, jxl, png or auto."),
        ("quality", recipe.format == "tiff", "Format tiff is always lossless: it does not support a quality."),
    )
    return conflicts + [
        (field, reason) for field, violated, reason in rules if violated and field in names and not is_placeholder
    ]
