"""Rows of the option table: one option's text and value face to face, and the few kinds of value they are made of.

A row's `shape` is lenient (it also takes leading and trailing zeros), so that a misspelled option can be answered with
its right spelling; `read` turns the shape's groups into a value, None for a default that was spelled out, or raises
ValueError with a sentence; `spell` is the inverse of `read`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

FRACTION_DIGITS = 4
"""1/10,000 of a side is finer than a pixel of any side the table can name."""

DECIMAL = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
COLOUR = "([0-9a-f]{6})"

Groups = Sequence[Any]
"""What the shape's groups matched; None for a group that was left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One option: the Recipe field it sets, the words people read, and both directions of its text."""

    field: str
    usage: str
    """The option as documentation writes it, e.g. `w{1…8192}`."""
    meaning: str
    shape: re.Pattern[str]
    read: Callable[[Groups], Any]
    spell: Callable[[Any], str]
    heads: tuple[str, ...]
    """How such an option begins: what a near miss is recognised by."""


def row(  # noqa: PLR0913, PLR0917 - a row's own columns
    field: str, usage: str, meaning: str, shape: str, read: Callable[[Groups], Any], spell: Callable[[Any], str]
) -> Row:
    """Make a row whose head is its usage up to the first brace."""
    return Row(field, usage, meaning, re.compile(shape), read, spell, (usage.partition("{")[0],))


def word(field: str, text: str, meaning: str) -> Row:
    """Make the row of a word that is said or not."""
    return Row(field, text, meaning, re.compile(text), lambda _: True, lambda _: text, (text,))


def words(field: str, texts: tuple[str, ...], meaning: str, prefix: str = "") -> Row:
    """Make the row of one word out of several, behind a prefix."""
    shape = re.compile(prefix + "(" + "|".join(sorted(texts, key=len, reverse=True)) + ")")
    usage = f"{prefix}{{{' '.join(texts)}}}" if prefix else " ".join(texts)
    heads = (prefix,) if prefix else texts
    return Row(field, usage, meaning, shape, lambda groups: groups[0], lambda text: prefix + text, heads)


def integer(  # noqa: PLR0913, PLR0917 - as `row`
    field: str, prefix: str, low: int, high: int, meaning: str, suffix: str = ""
) -> Row:
    """Make the row of a whole number from `low` to `high`."""

    def read(groups: Groups) -> int:
        return ranged(groups[0], prefix, low, high)

    usage = f"{prefix}{{{low}…{high}}}{suffix}"
    return row(field, usage, meaning, f"{prefix}([0-9]{{1,9}}){suffix}", read, lambda value: f"{prefix}{value}{suffix}")


def number(  # noqa: PLR0913, PLR0917 - as `row`
    field: str, prefix: str, bounds: tuple[str, str], digits: int, meaning: str, default: int | None = None
) -> Row:
    """Make the row of a number from `low` to `high` with at most `digits` decimal places."""
    low, high = map(Fraction, bounds)

    def read(groups: Groups) -> Fraction | None:
        value = Fraction(groups[0])
        if value == default:
            return None
        if not low <= value <= high or value * 10**digits % 1:
            raise ValueError(
                f"{prefix} takes {bounds[0]}…{bounds[1]} in steps of {decimal(Fraction(1, 10**digits), digits)}"
            )
        return value

    usage = f"{prefix}{{{bounds[0]}…{bounds[1]}}}"
    return row(field, usage, meaning, prefix + DECIMAL, read, lambda value: f"{prefix}{decimal(value, digits)}")


def ranged(text: str, name: str, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`."""
    value = int(text)
    if not low <= value <= high:
        raise ValueError(f"{name} takes {low}…{high}")
    return value


def decimal(value: Fraction, digits: int) -> str:
    """Spell a non-negative fraction of at most `digits` decimal places without trailing zeros."""
    whole, rest = divmod(round(value * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)


def unit(text: str, name: str) -> Fraction:
    """Read a fraction of a side."""
    value = Fraction(text)
    if value > 1:
        raise ValueError(f"{name} takes fractions from 0 to 1")
    if value * 10**FRACTION_DIGITS % 1:
        raise ValueError(f"{name} takes at most {FRACTION_DIGITS} decimal places")
    return value
