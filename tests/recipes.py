"""Random valid recipes for property tests."""

from fractions import Fraction
from math import gcd
from typing import Any

from hypothesis import strategies as st

from proxy.core.recipe.grammar import without_default_fit
from proxy.core.recipe.options import COMPASS, FITS, FORMAT_WORDS
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Border, Crop, Duotone, Edges, Focus, OverlayOption


def _fractions(low: int, high: int, step: int) -> st.SearchStrategy[Fraction]:
    return st.integers(low, high).map(lambda number: Fraction(number, step))


@st.composite
def _crops(draw: st.DrawFn, side: int) -> Crop:
    if draw(st.booleans()):
        left, top = draw(st.integers(0, side - 1)), draw(st.integers(0, side - 1))
        width, height = draw(st.integers(1, side)), draw(st.integers(1, side))
        return Crop(Fraction(left), Fraction(top), Fraction(width), Fraction(height), relative=False)
    left, top = draw(st.integers(0, 9_999)), draw(st.integers(0, 9_999))
    width, height = draw(st.integers(1, 10_000 - left)), draw(st.integers(1, 10_000 - top))
    parts = [Fraction(number, 10_000) for number in (left, top, width, height)]
    if all(part.denominator == 1 for part in parts):
        return Crop(Fraction(1, 2), Fraction(0), Fraction(1, 2), Fraction(1), relative=True)
    return Crop(parts[0], parts[1], parts[2], parts[3], relative=True)


def _colours() -> st.SearchStrategy[str]:
    return st.from_regex(r"[0-9a-f]{6}", fullmatch=True)


def _overlays(content: st.SearchStrategy[str]) -> st.SearchStrategy[OverlayOption]:
    position = st.sampled_from((*COMPASS, "c", "tile"))
    return st.builds(OverlayOption, content, position, st.integers(1, 100), st.integers(1, 100))


def _hundredths() -> st.SearchStrategy[Fraction | None]:
    return st.none() | _fractions(0, 300, 100).filter(lambda value: value != 1)


def _edges() -> st.SearchStrategy[Edges]:
    side = st.integers(0, 50)
    return st.builds(Edges, side, side, side, side).filter(lambda edges: edges != Edges(0, 0, 0, 0))


@st.composite
def effects(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a few effects, as fields of a recipe."""
    all_of_them: dict[str, st.SearchStrategy[Any]] = {
        "blur": _fractions(3, 1_000, 10),
        "sharpen": _fractions(3, 100, 10),
        "pixelate": st.integers(2, 256),
        "brightness": _hundredths(),
        "contrast": _hundredths(),
        "saturation": _hundredths(),
        "hue": st.integers(1, 359),
        "gamma": _fractions(10, 500, 100).filter(lambda value: value != 1),
        "gray": st.just(value=True),
        "sepia": st.just(value=True),
        "invert": st.just(value=True),
        "tint": _colours(),
        "duotone": st.builds(Duotone, _colours(), _colours()),
        "pad": _edges(),
        "border": st.builds(Border, st.integers(1, 50), _colours()),
        "round": st.integers(0, 4_096),
        "trim": st.integers(1, 255),
        "text": _overlays(
            st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40)
        ),
    }
    names = draw(st.sets(st.sampled_from(sorted(all_of_them)), max_size=4))
    return {name: draw(all_of_them[name]) for name in names}


def _encoder_options(draw: st.DrawFn, output: str | None) -> dict[str, Any]:
    """Draw encoder options for an output format, as fields of a recipe."""
    if output in ("json", "blurhash", "thumbhash", "lqip"):
        return {}
    ways: list[dict[str, Any]] = [{}]
    if output != "tiff":
        ways.append({"quality": draw(st.integers(1, 100))})
    if output in (None, "auto", "jpeg", "webp", "avif"):
        ways += [{"target": draw(st.sampled_from(("low", "good", "best")))}, {"budget": draw(st.integers(1, 10_000))}]
    if output in ("webp", "avif"):
        ways.append({"lossless": True})
    prog = output in (None, "auto", "jpeg", "png", "gif") and draw(st.booleans())
    way: dict[str, Any] = draw(st.sampled_from(ways))
    return way | {"prog": prog, "keep": draw(st.booleans())}


@st.composite
def recipes(draw: st.DrawFn, side: int = 8_192, *, decorated: bool = True) -> Recipe:
    """Draw a recipe in its canonical form; `side` is the upper bound of w, h and crop."""
    maybe = st.booleans()
    output = draw(st.sampled_from((None, *FORMAT_WORDS)))
    if output == "json":
        return Recipe(dl=draw(maybe), format="json")
    width = draw(st.none() | st.integers(1, side))
    height = draw(st.none() | st.integers(1, side))
    aspect = None
    if (width is None) != (height is None) and draw(maybe):
        across, down = draw(st.integers(1, 999)), draw(st.integers(1, 999))
        aspect = (across // gcd(across, down), down // gcd(across, down))
    sized = width is not None or height is not None
    both = (width is not None and height is not None) or aspect is not None
    fit = draw(st.none() | st.sampled_from(FITS)) if both else None
    covers = both and fit in (None, "cover")
    gravity = draw(st.none() | st.sampled_from((*COMPASS, "smart", "entropy"))) if covers else None
    focus = None
    if covers and gravity is None and draw(maybe):
        focus = Focus(draw(_fractions(0, 10_000, 10_000)), draw(_fractions(0, 10_000, 10_000)))
    which = draw(st.sampled_from(("", "still", "frame", "page")))
    number = draw(st.integers(1, 10_000))
    recipe = without_default_fit(
        Recipe(
            page=number if which == "page" else None,
            frame=number if which == "frame" else None,
            still=which == "still",
            crop=draw(st.none() | _crops(side)),
            rot=draw(st.sampled_from((None, 90, 180, 270))),
            flip=draw(maybe),
            flop=draw(maybe),
            width=width,
            height=height,
            aspect=aspect,
            fit=fit,  # type: ignore[arg-type]
            up=sized and draw(maybe),
            dpr=draw(st.none() | _fractions(11, 50, 10)) if sized else None,
            gravity=gravity,
            focus=focus,
            background=draw(st.none() | st.from_regex(r"[0-9a-f]{6}([0-9a-e]{2})?", fullmatch=True)),
            format=output,
            dl=draw(maybe),
            **(draw(effects()) if decorated else {}),
            **_encoder_options(draw, output),
        )
    )
    return recipe if str(recipe) else Recipe(format="auto")
