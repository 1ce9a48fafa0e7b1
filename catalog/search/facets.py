"""Facets: how many of the images that a search matches have each value of a field."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.records.collection import Collection
from catalog.records.entity import EntityLink
from catalog.records.image import Image, ImageTag
from catalog.search.columns import ORIENTATIONS, Condition, column
from proxy.core.media.formats import FORMATS

MOST_VALUES: Final = 50
"""Values of one facet, the most frequent first."""
_NAMES: Final = {known.media_type: known.name for known in FORMATS.values()}


async def count_facets(session: AsyncSession, condition: Condition, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the counts of each facet's values among the images that a condition holds for."""
    facets = {}
    for name in names:
        rows = (await session.execute(FACETS[name](condition))).all()
        facets[name] = {_NAMES.get(value, value) if name == "format" else value: count for value, count in rows}
    return facets


def _of_column(name: str) -> Callable[[Condition], Select[Any]]:
    return lambda condition: _counted(column(Image, name), condition)


def _counted(value: Any, condition: Condition) -> Select[Any]:  # noqa: ANN401 - a SQL expression
    count = func.count()
    query = select(value.label("value"), count).select_from(Image).where(condition, value.is_not(None))
    return query.group_by(value).order_by(count.desc(), value).limit(MOST_VALUES)


def _tags(condition: Condition) -> Select[Any]:
    return _joined(ImageTag, "tag", condition)


def _entities(condition: Condition) -> Select[Any]:
    return _joined(EntityLink, "type", condition)


def _joined(model: type[Any], name: str, condition: Condition) -> Select[Any]:
    """Count images, not rows: an image may be shown by several entities of one type."""
    value, count = column(model, name), func.count(column(model, "image").distinct())
    query = select(value.label("value"), count).join(
        Image,
        (column(model, "image") == column(Image, "id")) & (column(model, "tenant") == column(Image, "tenant")),
    )
    return query.where(condition).group_by(value).order_by(count.desc(), value).limit(MOST_VALUES)


def _collections(condition: Condition) -> Select[Any]:
    value, count = column(Collection, "name"), func.count()
    query = select(value.label("value"), count).join(Image, column(Image, "collection") == column(Collection, "id"))
    return query.where(condition).group_by(value).order_by(count.desc(), value).limit(MOST_VALUES)


def _orientations(condition: Condition) -> Select[Any]:
    width, height = column(Image, "width"), column(Image, "height")
    names = _values(condition, case(*((rule(width, height), name) for name, rule in ORIENTATIONS.items())))
    return select(names.c.value, func.count()).group_by(names.c.value).order_by(func.count().desc(), names.c.value)


def _values(condition: Condition, value: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """Return the values of an expression for the images that a condition holds for."""
    return select(value.label("value")).select_from(Image).where(condition).subquery()


FACETS: Final[Mapping[str, Callable[[Condition], Select[Any]]]] = {
    "format": _of_column("media_type"),
    "tag": _tags,
    "status": _of_column("status"),
    "entity": _entities,
    "collection": _collections,
    "orientation": _orientations,
    "by": _of_column("created_by"),
}
