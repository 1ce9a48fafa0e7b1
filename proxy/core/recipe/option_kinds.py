"""Kinds of options: the rows of the option table, and the few kinds of values that they are made of.

The `pattern` of an option is lenient: it also matches leading and trailing zeros, so that a misspelled option can be
answered with its canonical form. `parse` converts the groups of the pattern to a value, or to None for a default value
that was given explicitly. It raises ValueError with a sentence for the client. `write` is the inverse of `parse`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

FRACTION_DIGITS = 4
"""Decimal places of a fraction of a side: 1/10,000 is finer than a pixel of any side that a recipe can request."""

DECIMAL = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
COLOUR = "([0-9a-f]{6})"

Groups = Sequence[Any]
"""The groups of a match; None for a group that did not participate."""


@dataclass(frozen=True, slots=True)
class Option:
    """A row of the option table: the field of Recipe, its documentation, and both directions of its text."""

    field: str
    usage: str
    """The syntax for documentation, e.g. `w{1…8192}`."""
    meaning: str
    """The description for documentation and error messages."""
    pattern: re.Pattern[str]
    parse: Callable[[Groups], Any]
    write: Callable[[Any], str]
    prefixes: tuple[str, ...]
    """The texts with which the option can begin, for suggestions."""

    @property
    def name(self) -> str:
        """The option without its value, for error messages."""
        return self.usage.partition("{")[0].rstrip("_")


def option(  # noqa: PLR0913, PLR0917 - the columns of a row
    field: str, usage: str, meaning: str, pattern: str, parse: Callable[[Groups], Any], write: Callable[[Any], str]
) -> Option:
    """Return an option whose prefix is its usage up to the first brace."""
    return Option(field, usage, meaning, re.compile(pattern), parse, write, (usage.partition("{")[0],))


def flag(field: str, word: str, meaning: str) -> Option:
    """Return an option that is a single word and has no value."""
    return Option(field, word, meaning, re.compile(word), lambda _: True, lambda _: word, (word,))


def choice(field: str, words: tuple[str, ...], meaning: str, prefix: str = "") -> Option:
    """Return an option that is one of several words, with an optional prefix."""
    pattern = re.compile(prefix + "(" + "|".join(sorted(words, key=len, reverse=True)) + ")")
    usage = f"{prefix}{{{' '.join(words)}}}" if prefix else " ".join(words)
    prefixes = (prefix,) if prefix else words
    return Option(field, usage, meaning, pattern, lambda groups: groups[0], lambda word: prefix + word, prefixes)


def integer(  # noqa: PLR0913, PLR0917 - as `option`
    field: str, prefix: str, low: int, high: int, meaning: str, suffix: str = ""
) -> Option:
    """Return an option with a whole number from `low` to `high`."""

    def parse(groups: Groups) -> int:
        return parse_integer(groups[0], f"Option {prefix}", low, high)

    usage = f"{prefix}{{{low}…{high}}}{suffix}"
    pattern = f"{prefix}([0-9]{{1,9}}){suffix}"
    return option(field, usage, meaning, pattern, parse, lambda value: f"{prefix}{value}{suffix}")


def number(  # noqa: PLR0913, PLR0917 - as `option`
    field: str, prefix: str, bounds: tuple[str, str], digits: int, meaning: str, default: int | None = None
) -> Option:
    """Return an option with a number within `bounds` and at most `digits` decimal places."""
    low, high = map(Fraction, bounds)

    def parse(groups: Groups) -> Fraction | None:
        value = Fraction(groups[0])
        if value == default:
            return None
        if not low <= value <= high or value * 10**digits % 1:
            step = decimal(Fraction(1, 10**digits), digits)
            raise ValueError(f"Option {prefix} must be between {bounds[0]} and {bounds[1]}, in steps of {step}.")
        return value

    usage = f"{prefix}{{{bounds[0]}…{bounds[1]}}}"
    return option(field, usage, meaning, prefix + DECIMAL, parse, lambda value: f"{prefix}{decimal(value, digits)}")


def parse_integer(text: str, subject: str, low: int, high: int) -> int:
    """Return a whole number. Raise ValueError, with a sentence about `subject`, if it is not within the bounds."""
    value = int(text)
    if not low <= value <= high:
        raise ValueError(f"{subject} must be between {low} and {high}.")
    return value


def parse_fraction(text: str, name: str) -> Fraction:
    """Return a fraction of a side. Raise ValueError, with a sentence about option `name`, if it is not valid."""
    value = Fraction(text)
    if value > 1:
        raise ValueError(f"Option {name} takes fractions from 0 to 1.")
    if value * 10**FRACTION_DIGITS % 1:
        raise ValueError(f"Option {name} takes fractions with at most {FRACTION_DIGITS} decimal places.")
    return value


def decimal(value: Fraction, digits: int) -> str:
    """Return a non-negative fraction with at most `digits` decimal places as text, without trailing zeros."""
    whole, rest = divmod(round(value * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)
