"""Pages of a list: `?limit=&cursor=` in, `{"items", "next_cursor"}` out."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from catalog.api.cursors import MAX_LENGTH, CursorSealer, Position
from proxy.core.identifiers import TenantName

Item = TypeVar("Item")
Row = TypeVar("Row")

DEFAULT_LIMIT, MAX_LIMIT = 50, 200


class PageQuery(BaseModel):
    """The query of a list; a list with filters adds fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items of one page.")] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=MAX_LENGTH, description="`next_cursor` of the page before.")] = None
    tenant: Annotated[str | None, Field(max_length=31, description="For operators: the tenant to act for.")] = None


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last one.")


def open_position(sealer: CursorSealer, query: PageQuery, tenant: TenantName, name: str) -> Position | None:
    """Return the position behind which the page begins, or None for the first page. Raise InvalidCursor."""
    return None if query.cursor is None else sealer.open(query.cursor, tenant, _canonical(query, name))


def next_cursor(  # noqa: PLR0913, PLR0917 - what a cursor is bound to
    sealer: CursorSealer,
    query: PageQuery,
    tenant: TenantName,
    name: str,
    rows: Sequence[Row],
    position: Callable[[Row], Position],
) -> str | None:
    """Return the cursor behind the page, for `rows` that were read with one more than the limit."""
    if len(rows) <= query.limit:
        return None
    return sealer.seal(position(rows[query.limit - 1]), tenant, _canonical(query, name))


def _canonical(query: PageQuery, name: str) -> str:
    """Return the text of a query that a cursor is bound to: what decides which items come, and in which order."""
    filters = query.model_dump(mode="json", exclude={"limit", "cursor", "tenant", "total", "facets"}, exclude_none=True)
    return f"{name}?{'&'.join(f'{key}={filters[key]}' for key in sorted(filters))}"
