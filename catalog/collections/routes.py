"""Routes of collections."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.conditions import IfMatch, check_if_match, etag_of
from catalog.api.context import Caller, Changing, Context
from catalog.api.fields import Identifier
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_creation, creation_position
from catalog.collections import service
from catalog.collections.schemas import CollectionView, CollectionWrite, view_of

router = APIRouter(prefix="/api/collections", tags=["collections"])


@router.get("", summary="List the tenant's collections")
async def list_collections(
    context: Context, caller: Caller, query: Annotated[PageQuery, Query()]
) -> Page[CollectionView]:
    """Return the collections, the newest first."""
    after = by_creation(open_position(context.cursors, query, caller.tenant, "collections"))
    async with context.database.reading() as session:
        rows = await service.list_collections(session, caller.tenant, query.limit + 1, after)
    cursor = next_cursor(context.cursors, query, caller.tenant, "collections", rows, creation_position)
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{id}", summary="Read one collection", response_model=CollectionView)
async def read_collection(context: Context, caller: Caller, id: Identifier) -> Response:  # noqa: A002 - the contract's own name
    """Return a collection."""
    async with context.database.reading() as session:
        row = await service.find_collection(session, caller.tenant, id)
    return json_answer(view_of(row), etag=etag_of(row.id, row.version))


@router.post("", summary="Create a collection", status_code=201, response_model=CollectionView)
async def create_collection(change: Changing, body: CollectionWrite) -> Response:
    """Create a collection. Its name is unique within the tenant."""

    async def work(session: AsyncSession) -> Response:
        row = await service.create_collection(session, change.principal, change.origin, body.name, body.description)
        return created(f"/api/collections/{row.id}", view_of(row), etag=etag_of(row.id, row.version))

    return await change.run(work)


@router.put("/{id}", summary="Change a collection", response_model=CollectionView)
async def change_collection(
    change: Changing,
    id: Identifier,  # noqa: A002 - the contract's own name
    body: CollectionWrite,
    if_match: IfMatch = None,
) -> Response:
    """Replace the values of a collection."""

    async def work(session: AsyncSession) -> Response:
        row = await service.lock_collection(session, change.principal.tenant, id)
        check_if_match(if_match, etag_of(row.id, row.version))
        await service.change_collection(
            session, change.principal, change.origin, row, name=body.name, description=body.description
        )
        return json_answer(view_of(row), etag=etag_of(row.id, row.version))

    return await change.run(work)


@router.delete("/{id}", summary="Delete a collection", status_code=204)
async def delete_collection(change: Changing, id: Identifier, if_match: IfMatch = None) -> Response:  # noqa: A002 - the contract's own name
    """Delete a collection without images; one that has images is 409 with their count."""

    async def work(session: AsyncSession) -> Response:
        row = await service.lock_collection(session, change.principal.tenant, id)
        check_if_match(if_match, etag_of(row.id, row.version))
        await service.delete_collection(session, change.principal, change.origin, row)
        return no_content()

    return await change.run(work)
