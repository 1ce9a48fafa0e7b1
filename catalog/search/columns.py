"""Comparisons of columns with the values of a search."""

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, true

from catalog.core.search.tree import Date, Range, Span, Text

Condition = ColumnElement[bool]
_DAYS: Final = {"d": 1, "w": 7, "m": 30, "y": 365}
_DECEMBER: Final = 12
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def column(model: type[Any], name: str) -> Any:  # noqa: ANN401 - SQLModel's columns are untyped
    """Return a column of a table by its name in SQL."""
    return vars(model)["__table__"].c[name]


def matches(column: Any, value: Text) -> Condition:  # noqa: ANN401 - see `column`
    """Return whether a text column is a text, or begins with it."""
    condition: Condition = column.startswith(value.text, autoescape=True) if value.prefix else column == value.text
    return condition


def within(column: Any, value: Range) -> Condition:  # noqa: ANN401 - see `column`
    """Return whether a number is within a range."""
    low = true() if value.low is None else column > value.low if value.low_open else column >= value.low
    high = true() if value.high is None else column < value.high if value.high_open else column <= value.high
    return and_(low, high)


def within_dates(column: Any, value: Range) -> Condition:  # noqa: ANN401 - see `column`
    """Return whether a moment is within dates: a date means all of its moments."""
    conditions: list[Condition] = []
    if isinstance(value.low, Date):
        conditions.append(column >= _end(value.low) if value.low_open else column >= _start(value.low))
    if isinstance(value.high, Date):
        conditions.append(column < _start(value.high) if value.high_open else column < _end(value.high))
    return and_(*conditions)


def length_of(span: Span) -> timedelta:
    """Return how long a span is; a month has 30 days, a year 365."""
    return timedelta(hours=span.amount) if span.unit == "h" else timedelta(days=span.amount * _DAYS[span.unit])


ORIENTATIONS: Final[Mapping[str, Callable[[Any, Any], Condition]]] = {
    "landscape": lambda width, height: width > height,
    "portrait": lambda width, height: width < height,
    "square": lambda width, height: width == height,
}
"""By width and height."""


def holds(condition: Condition) -> Condition:
    """Return a condition that is false where it would be NULL, so that its negation is true there."""
    return func.coalesce(condition, False)


def _start(date: Date) -> datetime:
    return datetime(date.year, date.month or 1, date.day or 1, tzinfo=UTC)


def _end(date: Date) -> datetime:
    """Return the first moment behind a date; the last one there is for the last year."""
    if date.month is None:
        return _first_of(date.year + 1, 1)
    if date.day is not None and date.day < monthrange(date.year, date.month)[1]:
        return _start(date) + timedelta(days=1)
    return _first_of(date.year + 1, 1) if date.month == _DECEMBER else _first_of(date.year, date.month + 1)


def _first_of(year: int, month: int) -> datetime:
    return _LAST if year > _LAST.year else datetime(year, month, 1, tzinfo=UTC)
