"""The option table: one row per option, text and value face to face, in the order in which a recipe spells them.

A row's `shape` is lenient (it also takes leading and trailing zeros) so that a misspelled option can be answered with
its right spelling;
`read` turns the shape's groups into a value or raises ValueError with a sentence; `spell` is the inverse of `read`.

To add an option: a row here, a field in `Recipe`, a line in the planner, a step in the pixel room, an example picture
in the docs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import Any

MAX_SIDE = 8_192
"""Largest number `w` and `h` take, in pixels."""
FRACTION_DIGITS = 4
"""1/10,000 of a side is finer than a pixel of any side this table can name."""

COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
FITS = ("cover", "contain", "fill", "inside", "outside")
FORMAT_WORDS = ("jpeg", "webp", "avif", "png", "gif", "auto")


@dataclass(frozen=True, slots=True)
class Row:
    """One option: the Recipe field it sets, the words people read, and both directions of its text."""

    field: str
    usage: str
    """The option as documentation writes it, e.g. `w{1…8192}`."""
    meaning: str
    shape: re.Pattern[str]
    read: Callable[[Sequence[str]], Any]
    spell: Callable[[Any], str]
    heads: tuple[str, ...]
    """How such an option begins: what a near miss is recognised by."""


def row_of(token: str) -> tuple[int, Row, re.Match[str]] | None:
    """Find the one row whose shape `token` has; None when it is no option."""
    for index, row in enumerate(ROWS):
        if match := row.shape.fullmatch(token):
            return index, row, match
    return None


def near_row(token: str) -> Row | None:
    """Find the row that `token` was probably meant for: the longest head it begins with, followed by a value."""
    heads = (
        (head, row) for row in ROWS for head in row.heads if token.startswith(head) and re.search(r"\{", row.usage)
    )
    return max(heads, key=lambda one: len(one[0]), default=(None, None))[1]


def spell(value: object, field: str) -> str:
    """Give the canonical text of one option's value."""
    return _BY_FIELD[field].spell(value)


# Rows are built from a few kinds of value; each kind has its reader beside its speller.


def _word(field: str, word: str, meaning: str) -> Row:
    return Row(field, word, meaning, re.compile(word), lambda _: True, lambda _: word, (word,))


def _words(field: str, words: tuple[str, ...], meaning: str, prefix: str = "") -> Row:
    shape = re.compile(prefix + "(" + "|".join(sorted(words, key=len, reverse=True)) + ")")
    usage = f"{prefix}{{{' '.join(words)}}}" if prefix else " ".join(words)
    heads = (prefix,) if prefix else words
    return Row(field, usage, meaning, shape, lambda groups: groups[0], lambda word: prefix + word, heads)


def _integer(field: str, prefix: str, low: int, high: int, meaning: str) -> Row:
    def read(groups: Sequence[str]) -> int:
        number = int(groups[0])
        if not low <= number <= high:
            raise ValueError(f"{prefix} takes {low}…{high}")
        return number

    usage = f"{prefix}{{{low}…{high}}}"
    return Row(
        field,
        usage,
        meaning,
        re.compile(prefix + r"([0-9]{1,9})"),
        read,
        lambda number: f"{prefix}{number}",
        (prefix,),
    )


_DECIMAL = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"


def _decimal(number: Fraction, digits: int) -> str:
    """Spell a non-negative fraction of at most `digits` decimal places without trailing zeros."""
    whole, rest = divmod(round(number * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)


def _unit(text: str, name: str) -> Fraction:
    value = Fraction(text)
    if value > 1:
        raise ValueError(f"{name} takes fractions from 0 to 1")
    if value * 10**FRACTION_DIGITS % 1:
        raise ValueError(f"{name} takes at most {FRACTION_DIGITS} decimal places")
    return value


def _read_crop(groups: Sequence[str]) -> Any:  # noqa: ANN401 - recipe imports this table, so it cannot be named here
    from proxy.core.recipe import Crop  # noqa: PLC0415

    relative = any("." in text for text in groups)
    left, top, width, height = (_unit(text, "crop") if relative else Fraction(text) for text in groups)
    if not relative and max(left, top, width, height) > 1_000_000:  # noqa: PLR2004 - no allowed original has such a side
        raise ValueError("crop takes pixels up to 1000000")
    if not width or not height:
        raise ValueError("crop takes a width and a height above 0")
    if relative and (left + width > 1 or top + height > 1):
        raise ValueError("crop reaches beyond the picture: left + width and top + height are at most 1")
    if relative and left + top == 0 and width * height == 1:
        return None
    return Crop(left, top, width, height, relative)


def _spell_crop(crop: Any) -> str:  # noqa: ANN401 - as above
    return "crop" + "_".join(_decimal(part, FRACTION_DIGITS) for part in (crop.left, crop.top, crop.width, crop.height))


def _read_focus(groups: Sequence[str]) -> Any:  # noqa: ANN401 - as above
    from proxy.core.recipe import Focus  # noqa: PLC0415

    return Focus(_unit(groups[0], "fp"), _unit(groups[1], "fp"))


def _read_aspect(groups: Sequence[str]) -> tuple[int, int]:
    across, down = int(groups[0]), int(groups[1])
    if not (1 <= across <= 999 and 1 <= down <= 999):  # noqa: PLR2004 - the row's own range
        raise ValueError("ar takes two numbers of 1…999")
    common = gcd(across, down)
    return across // common, down // common


def _read_dpr(groups: Sequence[str]) -> Fraction | None:
    value = Fraction(groups[0])
    if not 1 <= value <= 5 or value * 10 % 1:  # noqa: PLR2004 - the row's own range
        raise ValueError("dpr takes 1.1…5 in steps of 0.1")
    return None if value == 1 else value


ROWS: tuple[Row, ...] = (
    _integer("frame", "frame", 1, 10_000, "one frame of an animation"),
    _word("still", "still", "the first frame of an animation"),
    Row(
        "crop",
        "crop{x}_{y}_{w}_{h}",
        "a part of the upright original, before anything else: pixels, or fractions 0…1 where a dot is",
        re.compile("crop" + "_".join([_DECIMAL] * 4)),
        _read_crop,
        _spell_crop,
        ("crop",),
    ),
    Row(
        "rot",
        "rot{90,180,270}",
        "rotate clockwise, after the EXIF orientation, which is always applied",
        re.compile("rot(90|180|270)"),
        lambda groups: int(groups[0]),
        lambda degrees: f"rot{degrees}",
        ("rot",),
    ),
    _word("flip", "flip", "top and bottom change places"),
    _word("flop", "flop", "left and right change places"),
    _integer("width", "w", 1, MAX_SIDE, "target width in pixels"),
    _integer("height", "h", 1, MAX_SIDE, "target height in pixels"),
    Row(
        "aspect",
        "ar{1…999}_{1…999}",
        "aspect ratio, with one of w and h: the other follows",
        re.compile("ar([0-9]{1,9})_([0-9]{1,9})"),
        _read_aspect,
        lambda aspect: f"ar{aspect[0]}_{aspect[1]}",
        ("ar",),
    ),
    _words("fit", FITS, "how the picture meets the box; default cover with both sides known, else inside"),
    _word("up", "up", "may enlarge; without it a picture is never larger than its original"),
    Row(
        "dpr",
        "dpr{1.1…5}",
        "device pixel ratio: multiplies w and h",
        re.compile("dpr" + _DECIMAL),
        _read_dpr,
        lambda dpr: f"dpr{_decimal(dpr, 1)}",
        ("dpr",),
    ),
    _words(
        "gravity",
        (*COMPASS, "smart", "entropy"),
        "which part a cover crop keeps; default the centre",
        prefix="g",
    ),
    Row(
        "focus",
        "fp{x}_{y}",
        "focal point of the cover crop, as fractions 0…1",
        re.compile(f"fp{_DECIMAL}_{_DECIMAL}"),
        _read_focus,
        lambda focus: f"fp{_decimal(focus.x, FRACTION_DIGITS)}_{_decimal(focus.y, FRACTION_DIGITS)}",
        ("fp",),
    ),
    Row(
        "background",
        "bg{rrggbb[aa]}",
        "background for contain and for flattening; default transparent where the format has alpha, else white",
        re.compile("bg([0-9a-f]{6}(?:[0-9a-f]{2})?)"),
        lambda groups: groups[0].removesuffix("ff") if len(groups[0]) == 8 else groups[0],  # noqa: PLR2004 - rrggbbff is rrggbb
        lambda digits: f"bg{digits}",
        ("bg",),
    ),
    _integer("quality", "q", 1, 100, "encoder quality"),
    _words("format", FORMAT_WORDS, "output format; none keeps the original's own"),
)

_BY_FIELD = {row.field: row for row in ROWS}


@lru_cache(maxsize=1)
def all_heads() -> tuple[str, ...]:
    """Every word or prefix an option can begin with, for suggestions."""
    return tuple(dict.fromkeys(head for row in ROWS for head in row.heads))
