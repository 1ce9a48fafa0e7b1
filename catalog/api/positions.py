"""Positions in lists that are ordered by time of creation and id."""

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
