"""Random recipes that are legal, for properties."""

from fractions import Fraction
from math import gcd

from hypothesis import strategies as st

from proxy.core.grammar import normal
from proxy.core.options import COMPASS, FITS, FORMAT_WORDS
from proxy.core.recipe import Crop, Focus, Recipe


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


@st.composite
def recipes(draw: st.DrawFn, side: int = 8_192) -> Recipe:
    """Draw a recipe in its canonical form; `side` bounds the numbers of w, h and crop."""
    maybe = st.booleans()
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
    still = draw(maybe)
    recipe = normal(
        Recipe(
            frame=None if still else draw(st.none() | st.integers(1, 10_000)),
            still=still,
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
            quality=draw(st.none() | st.integers(1, 100)),
            format=draw(st.sampled_from((None, *FORMAT_WORDS))),
        )
    )
    return recipe if str(recipe) else Recipe(format="auto")
