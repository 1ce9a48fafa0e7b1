"""Values of fields: a word to a number, a range, a time or a choice."""

import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from catalog.core.search.fields import COLORS, FieldRule, Kind
from catalog.core.search.tree import DECIMALS, Bound, Date, Range, Span, Text, Value

LARGEST: Final = 10**15
"""The largest number that a search can name."""
_UNITS: Final = {"b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
_SPANS: Final = "hdwmy"
_LONGEST_SPAN: Final = 100_000
_DATE_PARTS: Final = (4, 2, 2)
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_COLOUR_LENGTH: Final = 7


class WrongValue(ValueError):
    """A value does not fit its field; the sentence says what to write instead."""


def read_value(rule: FieldRule, text: str) -> Value:
    """Return the value of a bare word. Raise WrongValue."""
    return _READERS[rule.kind](rule, text)


def _read_text(_rule: FieldRule, text: str) -> Value:
    stem = text.removesuffix("*")
    if "*" in stem or not stem:
        raise WrongValue("A * stands at the end of a word: put a text with a * in quotation marks.")
    return Text.of(stem, prefix=stem != text)


def _read_choice(rule: FieldRule, text: str) -> Value:
    word = text.lower()
    if word in rule.words:
        return Text(word)
    nearest = get_close_matches(word[:32], rule.words, 1, 0.6)
    hint = f" Do you mean {nearest[0]}?" if nearest else ""
    raise WrongValue(f"{rule.name} has no value {text[:40]}.{hint} It has {', '.join(rule.words)}.")


def _read_color(_rule: FieldRule, text: str) -> Value:
    word = text.lower()
    if word in COLORS:
        return Text(COLORS[word])
    digits = word.removeprefix("#")
    if word.startswith("#") and len(word) == _COLOUR_LENGTH and all(digit in "0123456789abcdef" for digit in digits):
        return Text(word)
    raise WrongValue(f"A colour is # and six hexadecimal digits, or one of {', '.join(COLORS)}.")


def _read_number(rule: FieldRule, text: str) -> Value:
    return _read_range(rule, text, _number)


def _read_bytes(rule: FieldRule, text: str) -> Value:
    return _read_range(rule, text, _size)


def _read_moment(rule: FieldRule, text: str) -> Value:
    unit = text[-1:]
    if unit in _SPANS and _is_digits(text[:-1]) and 0 < int(text[:-1]) <= _LONGEST_SPAN:
        return Span(int(text[:-1]), unit)
    return _read_range(rule, text, _date)


def _read_range(rule: FieldRule, text: str, bound: Callable[[str], Bound | None]) -> Value:
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            end = _bound(rule, text.removeprefix(sign), bound)
            is_open = len(sign) == 1
            return Range(end, None, low_open=is_open) if sign[0] == ">" else Range(None, end, high_open=is_open)
    low, separator, high = text.partition("..")
    if not separator:
        end = _bound(rule, text, bound)
        return Range(end, end)
    first, last = _bound(rule, low, bound), _bound(rule, high, bound)
    if _order(first) > _order(last):
        raise WrongValue(f"The range is empty: write {high[:40]}..{low[:40]}.")
    return Range(first, last)


def _bound(rule: FieldRule, text: str, read: Callable[[str], Bound | None]) -> Bound:
    value = read(text)
    if value is None:
        raise WrongValue(f"{rule.name} takes {rule.kind.value}.")
    return value


def _order(bound: Bound) -> tuple[float, ...]:
    return (bound.year, bound.month or 0, bound.day or 0) if isinstance(bound, Date) else (bound,)


def _number(text: str) -> int | float | None:
    if _is_digits(text):
        return int(text) if int(text) <= LARGEST else None
    whole, point, fraction = text.partition(".")
    if not point or not _is_digits(whole) or not _is_digits(fraction):
        return None
    value = round(float(text), DECIMALS)
    return value if math.isfinite(value) and value <= LARGEST else None


def _size(text: str) -> int | None:
    lower = text.lower()
    unit = next((name for name in ("kb", "mb", "gb", "b") if lower.endswith(name)), "")
    value = _number(lower.removesuffix(unit))
    size = None if value is None else round(value * _UNITS.get(unit, 1))
    return size if size is not None and size <= LARGEST else None


def _date(text: str) -> Date | None:
    parts = text.split("-")
    if len(parts) > len(_DATE_PARTS):
        return None
    if any(len(part) != length or not _is_digits(part) for part, length in zip(parts, _DATE_PARTS, strict=False)):
        return None
    year, month, day = (*map(int, parts), None, None)[:3]
    if not year or (month is not None and not 1 <= month <= len(_DAYS)):
        return None
    if month is not None and day is not None and not 1 <= day <= _days_of(int(year), month):
        return None
    return Date(int(year), month, day)


def _days_of(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == 2 and not leap else _DAYS[month - 1]  # noqa: PLR2004 - February


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))


_READERS: Final[dict[Kind, Callable[[FieldRule, str], Value]]] = {
    Kind.TEXT: _read_text,
    Kind.ENTITY: _read_text,
    Kind.NUMBER: _read_number,
    Kind.BYTES: _read_bytes,
    Kind.MOMENT: _read_moment,
    Kind.CHOICE: _read_choice,
    Kind.COLOR: _read_color,
}
