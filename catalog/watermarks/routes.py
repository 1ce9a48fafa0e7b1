"""Routes of watermarks."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.conditions import IfMatch, check_if_match, etag_of_change
from catalog.api.context import Caller, Changing, Context
from catalog.api.openapi_parts import told
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_name
from catalog.core.api_errors import FieldError, ValidationFailed
from catalog.core.errors import WatermarkNotFound
from catalog.records.tenant_lock import lock_tenant
from catalog.watermarks import service
from catalog.watermarks.schemas import WatermarkCreate, WatermarkName, WatermarkView, WatermarkWrite, view_of
from catalog.watermarks.service import Picture, Watermark
from proxy.core.identifiers import TenantName

router = APIRouter(prefix="/api/watermarks", tags=["watermarks"])


@router.get("", summary="List the tenant's watermarks")
async def list_watermarks(
    context: Context, caller: Caller, query: Annotated[PageQuery, Query()]
) -> Page[WatermarkView]:
    """Return the watermarks, in the order of their names."""
    after = by_name(open_position(context.cursors, query, caller.tenant, "watermarks"))
    async with context.database.reading() as session:
        marks = await service.list_watermarks(session, caller.tenant)
    rows = [mark for mark in marks if after is None or mark.name > after][: query.limit + 1]
    cursor = next_cursor(context.cursors, query, caller.tenant, "watermarks", rows, lambda mark: [mark.name])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{name}", summary="Read one watermark", response_model=WatermarkView, responses={200: told("ETag")})
async def read_watermark(context: Context, caller: Caller, name: WatermarkName) -> Response:
    """Return a watermark."""
    async with context.database.reading() as session:
        mark = await service.find_watermark(session, caller.tenant, name)
    return json_answer(view_of(mark), etag=_etag(mark))


@router.post(
    "", summary="Create a watermark", status_code=201, response_model=WatermarkView, responses={201: told("ETag")}
)
async def create_watermark(change: Changing, body: WatermarkCreate) -> Response:
    """Name an image as a watermark, so that `wm_NAME` in a recipe overlays it; a name that is in use is 409."""

    async def work(session: AsyncSession) -> Response:
        picture = await _picture(session, change.principal.tenant, body)
        mark = await service.create_watermark(session, change.principal, change.origin, body.name, picture)
        return _created(mark)

    return await change.run(work)


@router.put(
    "/{name}",
    summary="Create or change a watermark",
    response_model=WatermarkView,
    responses={
        200: told("ETag"),
        201: {"model": WatermarkView, "description": "There was none of this name.", **told("ETag")},
    },
)
async def put_watermark(
    change: Changing, name: WatermarkName, body: WatermarkWrite, if_match: IfMatch = None
) -> Response:
    """Replace what a watermark shows; derivatives with it are rendered again. With `If-Match` only one that exists."""

    async def work(session: AsyncSession) -> Response:
        tenant = change.principal.tenant
        await lock_tenant(session, tenant)
        try:
            before = await service.find_watermark(session, tenant, name)
        except WatermarkNotFound:
            if if_match is not None:
                raise
            before = None
        if before is not None:
            check_if_match(if_match, _etag(before))
        picture = await _picture(session, tenant, body)
        mark = await service.put_watermark(session, change.principal, change.origin, name, picture)
        return _created(mark) if before is None else json_answer(view_of(mark), etag=_etag(mark))

    return await change.run(work)


@router.delete("/{name}", summary="Delete a watermark", status_code=204)
async def delete_watermark(change: Changing, name: WatermarkName, if_match: IfMatch = None) -> Response:
    """Delete a watermark: URLs with it are answered 400 within seconds. One that a preset uses is 409."""

    async def work(session: AsyncSession) -> Response:
        await lock_tenant(session, change.principal.tenant)
        check_if_match(if_match, _etag(await service.find_watermark(session, change.principal.tenant, name)))
        await service.delete_watermark(session, change.principal, change.origin, name)
        return no_content()

    return await change.run(work)


async def _picture(session: AsyncSession, tenant: TenantName, body: WatermarkWrite) -> Picture:
    """Return the original that a body names. Raise ValidationFailed if the tenant has none such."""
    picture = await service.find_picture(session, tenant, image=body.image, original=body.original)
    if picture is None:
        at, detail = (
            ("/image", "There is no such image that is ready.")
            if body.image
            else (
                "/original",
                "There is no such original.",
            )
        )
        raise ValidationFailed([FieldError(at, "unknown-image", f"{detail} Upload it first.")])
    return picture


def _etag(mark: Watermark) -> str:
    return etag_of_change(mark.name, mark.created_at)


def _created(mark: Watermark) -> Response:
    return created(f"/api/watermarks/{mark.name}", view_of(mark), etag=_etag(mark))
