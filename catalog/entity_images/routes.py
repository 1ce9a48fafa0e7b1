"""Routes of an entity's images."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer, no_content
from catalog.api.change import Change
from catalog.api.conditions import MAX_LENGTH, check_if_match, etag_of
from catalog.api.context import Caller, Changing, Context
from catalog.api.cursors import Position
from catalog.api.fields import EntityId, EntityType
from catalog.api.openapi_parts import told
from catalog.api.pages import PageQuery, next_cursor, open_position
from catalog.core.api_errors import InvalidCursor
from catalog.core.entity_order import EntityOrder
from catalog.entities.service import EntityRef, reorder_images, set_primary
from catalog.entity_images import service
from catalog.entity_images.schemas import EntityImagesView, LinkWrite, OrderView, OrderWrite, PrimaryWrite
from catalog.images.schemas import ImageView
from catalog.images.service import find_image
from catalog.images.views import ImageViews, image_etag
from catalog.records.image import Image

router = APIRouter(prefix="/api/images", tags=["entities"])

Type = Annotated[EntityType, Path(description="Type of the entity: a word of the tenant's own.")]
EntityIdPath = Annotated[EntityId, Path(description="Id of the entity.")]
Id = Annotated[str, Path(max_length=64, description="Id of the image.")]
IfMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="Change only this version.")]


@router.get(
    "/entity/{type}/{entity_id}",
    summary="List the images of an entity",
    response_model=EntityImagesView,
    responses={200: told("ETag")},
)
async def list_entity_images(
    context: Context,
    caller: Caller,
    type: Type,  # noqa: A002 - the contract's own name
    entity_id: EntityIdPath,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Return the images in order, and which of them is primary; an unknown entity has none.

    The `ETag` is that of the order, for changes of it.
    """
    entity, name = EntityRef(type, entity_id), f"entity/{type}/{entity_id}"
    after = _read_position(open_position(context.cursors, query, caller.tenant, name))
    views = await ImageViews.open(context, caller.tenant)
    async with context.database.reading() as session:
        etag = _etag(entity, await service.version_of(session, caller.tenant, entity))
        rows = await service.list_entity_images(session, caller.tenant, entity, query.limit + 1, after)
        primary = await service.primary_of(session, caller.tenant, entity)
        items = await views.views(session, [image for image, _ in rows[: query.limit]])
    cursor = next_cursor(context.cursors, query, caller.tenant, name, rows, _position)
    view = EntityImagesView(type=type, id=entity_id, primary=primary, items=items, next_cursor=cursor)
    return json_answer(view, etag=etag)


@router.put(
    "/entity/{type}/{entity_id}/order",
    summary="Order the images of an entity",
    response_model=OrderView,
    responses={200: told("ETag")},
)
async def order_entity_images(
    change: Changing,
    type: Type,  # noqa: A002 - the contract's own name
    entity_id: EntityIdPath,
    body: OrderWrite,
    if_match: IfMatch = None,
) -> Response:
    """Order all images of an entity as listed; a list with others, or without some, is 409."""
    entity = EntityRef(type, entity_id)

    async def reorder(session: AsyncSession) -> EntityOrder:
        return await reorder_images(session, change.principal, change.origin, entity, body.ids)

    return await _change_order(change, entity, if_match, reorder)


@router.put(
    "/entity/{type}/{entity_id}/primary",
    summary="Choose the primary image",
    response_model=OrderView,
    responses={200: told("ETag")},
)
async def choose_primary_image(
    change: Changing,
    type: Type,  # noqa: A002 - the contract's own name
    entity_id: EntityIdPath,
    body: PrimaryWrite,
    if_match: IfMatch = None,
) -> Response:
    """Make a linked image the primary one; an image that is not linked is 409."""
    entity = EntityRef(type, entity_id)

    async def choose(session: AsyncSession) -> EntityOrder:
        return await set_primary(session, change.principal, change.origin, entity, body.id)

    return await _change_order(change, entity, if_match, choose)


@router.put("/{id}/entities/{type}/{entity_id}", summary="Link an image to an entity", response_model=ImageView)
async def link_image(  # noqa: PLR0913, PLR0917 - what a request may say
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    type: Type,  # noqa: A002 - the contract's own name
    entity_id: EntityIdPath,
    body: LinkWrite | None = None,
    if_match: IfMatch = None,
) -> Response:
    """Link an image, or move it if it is linked already; the first image of an entity is primary."""
    how, entity = body or LinkWrite(), EntityRef(type, entity_id)
    views = await ImageViews.open(context, change.principal.tenant)

    async def work(session: AsyncSession) -> Response:
        row = await _locked(session, change, id, if_match)
        await service.link(
            session, change.principal, change.origin, row, entity, position=how.position, primary=how.primary
        )
        return json_answer(await views.view(session, row), etag=image_etag(row))

    return await change.run(work)


@router.delete("/{id}/entities/{type}/{entity_id}", summary="Unlink an image from an entity", status_code=204)
async def unlink_image(
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    type: Type,  # noqa: A002 - the contract's own name
    entity_id: EntityIdPath,
    if_match: IfMatch = None,
) -> Response:
    """Unlink an image; if it was primary, the next in order becomes it."""

    async def work(session: AsyncSession) -> Response:
        row = await _locked(session, change, id, if_match)
        await service.unlink(session, change.principal, change.origin, row, EntityRef(type, entity_id))
        return no_content()

    return await change.run(work)


async def _change_order(
    change: Change, entity: EntityRef, if_match: str | None, make: Callable[[AsyncSession], Awaitable[EntityOrder]]
) -> Response:
    """Change the order of an entity whose version is as expected."""
    tenant = change.principal.tenant

    async def work(session: AsyncSession) -> Response:
        if if_match is not None:
            check_if_match(if_match, _etag(entity, await service.version_of(session, tenant, entity, lock=True)))
        order = await make(session)
        view = OrderView(type=entity.type, id=entity.id, primary=order.primary, ids=list(order.images))
        return json_answer(view, etag=_etag(entity, await service.version_of(session, tenant, entity)))

    return await change.run(work)


async def _locked(session: AsyncSession, change: Change, identifier: str, if_match: str | None) -> Image:
    row = await find_image(session, change.principal.tenant, identifier, lock=True)
    check_if_match(if_match, image_etag(row))
    return row


def _etag(entity: EntityRef, version: int) -> str:
    return etag_of(f"{entity.type}/{entity.id}", version)


def _position(row: tuple[Image, int]) -> Position:
    return [row[1]]


def _read_position(position: Position | None) -> int | None:
    if position is None:
        return None
    match position:
        case [int(number)]:
            return number
    raise InvalidCursor
