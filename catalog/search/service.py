"""Searching a tenant's images: a tree, an order and a position in; a page of rows out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.core.image_status import ImageStatus
from catalog.core.search.tree import And, Field, Node, Not, Or, Text
from catalog.records.image import Image
from catalog.search.columns import Condition, column
from catalog.search.compiler import Compiler
from catalog.search.corrections import find_corrections
from catalog.search.orders import Order, order_column, position_of
from proxy.core.identifiers import TenantName

_TEXT_FIELDS: Final = frozenset({"name", "title", "alt", "caption"})


@dataclass(frozen=True, slots=True)
class Search:
    """A compiled search: what it matches, and what sorts it."""

    condition: Condition
    relevance: ColumnElement[int]


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a page, and the position of each in its order."""

    images: Sequence[Image] = ()
    positions: Sequence[list[Any]] = field(default_factory=list)


async def compile_search(session: AsyncSession, tenant: TenantName, node: Node | None) -> Search:
    """Return what a tree matches among a tenant's images; the trash only where the search names a status."""
    node = None if node is None else _with_open_end(node)
    compiler = Compiler(tenant, datetime.now(UTC), await find_corrections(session, tenant, node))
    conditions = [column(Image, "tenant") == tenant]
    if not _names_status(node):
        conditions.append(column(Image, "status") != ImageStatus.TRASHED.value)
    if node is not None:
        conditions.append(compiler.condition(node))
    return Search(and_(*conditions), compiler.relevance(_free_words(node)))


async def find_images(
    session: AsyncSession, search: Search, order: Order, limit: int, after: Sequence[Any] | None = None
) -> Found:
    """Return images in an order, behind the position `after`."""
    key, identifier = order_column(order, search.relevance), column(Image, "id")
    query = select(Image, key.label("sort_key")).where(search.condition)
    if after is not None:
        here, there = tuple_(key, identifier), tuple_(*after)
        query = query.where(here < there if order.descending else here > there)
    ends = (key.desc(), identifier.desc()) if order.descending else (key.asc(), identifier.asc())
    rows = (await session.execute(query.order_by(*ends).limit(limit))).all()
    return Found([row[0] for row in rows], [position_of(row[1], row[0].id) for row in rows])


async def count_images(session: AsyncSession, search: Search) -> int:
    """Return how many images a search matches."""
    count = await session.scalar(select(func.count()).select_from(Image).where(search.condition))
    return count or 0


def _with_open_end(node: Node) -> Node:
    """Let the last free word match by its beginning: it may still be being typed."""
    if isinstance(node, Text) and not node.phrase:
        return replace(node, prefix=True)
    if isinstance(node, And) and isinstance(node.nodes[-1], Text):
        return And((*node.nodes[:-1], _with_open_end(node.nodes[-1])))
    return node


def _names_status(node: Node | None) -> bool:
    if isinstance(node, And | Or):
        return any(map(_names_status, node.nodes))
    if isinstance(node, Not):
        return _names_status(node.node)
    return isinstance(node, Field) and node.name == "status"


def _free_words(node: Node | None) -> list[Text]:
    """Return the words that count for relevance: those that are not excluded."""
    if isinstance(node, And | Or):
        return [text for child in node.nodes for text in _free_words(child)]
    if isinstance(node, Field) and node.name in _TEXT_FIELDS and isinstance(node.value, Text):
        return [node.value]
    return [node] if isinstance(node, Text) else []
