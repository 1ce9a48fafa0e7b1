"""What does not go together in a recipe, and what gives way when one is laid over another."""

from dataclasses import fields, replace

from proxy.core.recipe.options import TOLD
from proxy.core.recipe.recipe import Recipe, is_set

_EITHER = (
    ("page", "frame", "still"),
    ("gravity", "focus"),
    ("quality", "target", "budget", "lossless"),
)
"""Of each of these, one."""

_WORDS = {"gravity": "g", "focus": "fp", "quality": "q", "target": "q", "budget": "max"}
_OF_PICTURES = {"quality", "target", "budget", "lossless", "prog", "keep"}
"""Fields that say how a picture is written: a text, or a placeholder, is not."""
_UNWRITTEN = (*TOLD, "lqip", "tiff")
"""Formats that know no quality: a preset's words about it give way."""
_LOSSLESS = ("webp", "avif", "jxl")
_PROGRESSIVE = (None, "auto", "jpeg", "png", "gif")
_TARGETED = (None, "auto", "jpeg", "webp", "avif", "jxl")
_FITTED = (*_TARGETED, "png")
_BEFORE_JSON = {"dl", "format"}


def conflicts(recipe: Recipe) -> list[tuple[str, str]]:
    """Tell what does not go together, as (field to underline, sentence)."""
    return [*_alternatives(recipe), *_missing_sides(recipe), *_of_format(recipe)]


def overlay(below: Recipe, above: Recipe) -> Recipe:
    """Give `below` with what `above` says in its place; what it excludes is gone, and so is the preset's name."""
    said = {one.name: value for one in fields(above) if is_set(value := getattr(above, one.name))}
    gone: dict[str, object] = {
        name: Recipe.__dataclass_fields__[name].default
        for group in _EITHER
        if said.keys() & set(group)
        for name in group
        if name not in said
    }
    if above.format in _UNWRITTEN:
        kept = {"keep"} if above.format == "tiff" else set()
        gone |= {name: Recipe.__dataclass_fields__[name].default for name in _OF_PICTURES - kept - said.keys()}
    return replace(below, **gone, **said | {"preset": None})  # type: ignore[arg-type]


def _alternatives(recipe: Recipe) -> list[tuple[str, str]]:
    found = []
    for group in _EITHER:
        said = [name for name in group if is_set(getattr(recipe, name))]
        if len(said) > 1:
            words = " and ".join(_WORDS.get(name, name) for name in said)
            found.append((said[-1], f"say only one of {words}"))
    return found


def _missing_sides(recipe: Recipe) -> list[tuple[str, str]]:
    sides = (recipe.width is not None) + (recipe.height is not None)
    placed = "places a cover crop: it needs cover and both sides"
    rules = (
        ("aspect", sides != 1, "ar goes with one of w and h"),
        (
            "fit",
            recipe.fit != "inside" and not recipe.both_sides,
            "a fit needs both sides: w and h, or one of them and ar",
        ),
        ("fit", recipe.fit == "inside" and not sides, "inside needs w or h"),
        ("up", not sides, "up needs w or h"),
        ("dpr", not sides, "dpr multiplies w and h: say one of them"),
        ("gravity", not recipe.crops_to_cover, f"g {placed}"),
        ("focus", not recipe.crops_to_cover, f"fp {placed}"),
    )
    return [(field, why) for field, broken, why in rules if broken and is_set(getattr(recipe, field))]


def _of_format(recipe: Recipe) -> list[tuple[str, str]]:
    told = recipe.format in (*TOLD, "lqip")
    said = {one.name for one in fields(recipe) if is_set(getattr(recipe, one.name))}
    found = [(field, f"{recipe.format} is not written like a picture") for field in sorted(said & _OF_PICTURES) if told]
    if recipe.format == "json" and said - _BEFORE_JSON:
        found.append((min(said - _BEFORE_JSON), "json tells the original's facts: nothing else goes with it but dl"))
    rules = (
        ("lossless", recipe.format not in _LOSSLESS, "lossless goes with webp, avif and jxl; png and tiff always are"),
        ("prog", recipe.format not in _PROGRESSIVE, "prog goes with jpeg, png, gif and auto"),
        ("target", recipe.format not in _TARGETED, "a quality target goes with jpeg, webp, avif, jxl and auto"),
        ("budget", recipe.format not in _FITTED, "a byte budget goes with jpeg, webp, avif, jxl, png and auto"),
        ("quality", recipe.format == "tiff", "tiff is written without loss"),
    )
    return found + [(field, why) for field, broken, why in rules if broken and field in said and not told]
