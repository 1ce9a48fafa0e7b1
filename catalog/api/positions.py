"""Positions in lists: by time of creation and id, by name, or by number."""

from datetime import datetime
from typing import Protocol

from catalog.api.cursors import Position
from catalog.core.api_errors import InvalidCursor


class Dated(Protocol):
    """A row with a time of creation and an id."""

    id: str
    created_at: datetime


def creation_position(row: Dated) -> Position:
    """Return a row's position."""
    return [row.created_at.isoformat(), row.id]


def by_creation(position: Position | None) -> tuple[datetime, str] | None:
    """Return a position as values to compare with. Raise InvalidCursor if it is not one."""
    if position is None:
        return None
    try:
        moment, identifier = position
        return datetime.fromisoformat(moment), str(identifier)
    except (TypeError, ValueError):
        raise InvalidCursor from None


def by_name(position: Position | None) -> str | None:
    """Return a position of a list in the order of names. Raise InvalidCursor if it is not one."""
    if position is None:
        return None
    if len(position) != 1 or not isinstance(position[0], str):
        raise InvalidCursor
    return position[0]


def by_number(position: Position | None) -> int | None:
    """Return a position of a list in the order of numbers. Raise InvalidCursor if it is not one."""
    if position is None:
        return None
    if len(position) != 1 or not isinstance(position[0], int):
        raise InvalidCursor
    return position[0]
