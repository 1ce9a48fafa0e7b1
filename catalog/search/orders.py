"""Orders of a list of images, and positions in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, select

from catalog.core.api_errors import InvalidCursor
from catalog.records.image import Image
from catalog.records.search import SearchText
from catalog.search.columns import column

_NAME_LENGTH: Final = 64
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """A key and a direction; the id decides between equals."""

    key: str
    descending: bool


def read_order(text: str) -> Order:
    """Return the order of `created`, `-created`, …; the names are those of `ORDERS`. `-` turns the usual direction."""
    name = text.removeprefix("-")
    return Order(name, ORDERS[name] ^ text.startswith("-"))


ORDERS: Final[Mapping[str, bool]] = {
    "relevance": True,
    "created": True,
    "updated": True,
    "taken": True,
    "name": False,
    "bytes": True,
    "width": True,
    "height": True,
    "quality": True,
}
"""Key → whether it is usually descending: the newest, the largest and the best come first, names from a to z."""


def order_column(order: Order, relevance: ColumnElement[int]) -> ColumnElement[Any]:
    """Return what an order sorts by; nothing in it is NULL, so that a position can be compared."""
    return relevance if order.key == "relevance" else _COLUMNS[order.key]()


def position_of(key: Any, identifier: str) -> list[Any]:  # noqa: ANN401 - a sort key of any type
    """Return a row's position as JSON."""
    return [key.astimezone(UTC).isoformat() if isinstance(key, datetime) else key, identifier]


def read_position(order: Order, position: list[Any] | None) -> list[Any] | None:
    """Return a position as values to compare with. Raise InvalidCursor if it is not one of this order."""
    if position is None:
        return None
    try:
        key, identifier = position
        if order.key in _MOMENTS:
            return [datetime.fromisoformat(key), str(identifier)]
    except (TypeError, ValueError):
        raise InvalidCursor from None
    if not isinstance(key, str if order.key == "name" else int):
        raise InvalidCursor
    return [key, str(identifier)]


def _plain(name: str) -> Callable[[], ColumnElement[Any]]:
    return lambda: column(Image, name)


def _taken() -> ColumnElement[Any]:
    taken = column(Image, "taken_at")
    return func.coalesce(taken, literal(_EPOCH, taken.type), type_=taken.type)


def _name() -> ColumnElement[Any]:
    """Return the beginning of the folded name, which both databases order alike."""
    folded = select(func.substr(column(SearchText, "name"), 1, _NAME_LENGTH))
    return func.coalesce(folded.where(column(SearchText, "image") == column(Image, "id")).scalar_subquery(), "")


_MOMENTS: Final = frozenset({"created", "updated", "taken"})
_COLUMNS: Final[Mapping[str, Callable[[], ColumnElement[Any]]]] = {
    "created": _plain("created_at"),
    "updated": _plain("updated_at"),
    "taken": _taken,
    "name": _name,
    "bytes": _plain("size_bytes"),
    "width": _plain("width"),
    "height": _plain("height"),
    "quality": lambda: func.coalesce(column(Image, "quality_score"), -1),
}
