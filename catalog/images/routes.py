"""Routes of images."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.change import Change
from catalog.api.conditions import MAX_LENGTH, check_if_match, is_not_modified
from catalog.api.context import ApiContext, Caller, Changing, Context
from catalog.api.downloads import Download
from catalog.api.openapi_parts import told
from catalog.api.pages import next_cursor, open_position
from catalog.api.problems import to_field_errors
from catalog.core.api_errors import ResourceNotFound, ValidationFailed
from catalog.core.merge_patch import merge_patch
from catalog.core.search.parser import parse
from catalog.images import reading, service
from catalog.images.schemas import ImageList, ImageQuery, ImageView, MetadataPatch, MetadataPut
from catalog.images.service import Description
from catalog.images.views import ImageViews, image_etag
from catalog.records.image import Image
from catalog.search.facets import count_facets
from catalog.search.orders import read_order, read_position
from catalog.search.service import compile_search, count_images, find_images
from proxy.core.identifiers import Digest

router = APIRouter(prefix="/api/images", tags=["images"])

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]
Sha256Path = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file, in hexadecimal digits.")]
IfMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="Change only this version.")]
IfNoneMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="304 if the image has this tag.")]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        **told("Content-Disposition", "ETag"),
    }
}


@router.get("", summary="Find the tenant's images")
async def list_images(context: Context, caller: Caller, query: Annotated[ImageQuery, Query()]) -> ImageList:
    """Return the images that a search finds, in an order; without one, all that are not in the trash."""
    node, order = parse(query.q), read_order(query.sort)
    after = read_position(order, open_position(context.cursors, query, caller.tenant, "images"))
    views = await ImageViews.open(context, caller.tenant)
    async with context.database.reading() as session:
        search = await compile_search(session, caller.tenant, node)
        found = await find_images(session, search, order, query.limit + 1, after)
        items = await views.views(session, found.images[: query.limit])
        total = await count_images(session, search) if query.total else None
        names = [name for name in query.facets.split(",") if name]
        facets = await count_facets(session, search.condition, names) if names else None
    cursor = next_cursor(context.cursors, query, caller.tenant, "images", found.positions, list)
    return ImageList(items=items, next_cursor=cursor, total=total, facets=facets)


@router.get("/by-hash/{sha256}", summary="Find an image by its bytes", response_model=ImageView)
async def find_image_by_hash(context: Context, caller: Caller, sha256: Sha256Path) -> Response:
    """Return the tenant's image that stands on the bytes with this SHA-256."""
    views = await ImageViews.open(context, caller.tenant)
    async with context.database.reading() as session:
        row = await service.find_by_original(session, caller.tenant, Digest(sha256))
        if row is None:
            raise ResourceNotFound("The tenant has no image with these bytes.")
        return json_answer(await views.view(session, row), etag=image_etag(row))


@router.head("/by-hash/{sha256}", summary="Check whether bytes are here already", response_model=None)
async def check_hash(context: Context, caller: Caller, sha256: Sha256Path) -> Response:
    """Answer 200 if the tenant has an image with these bytes, 404 otherwise."""
    return await find_image_by_hash(context, caller, sha256)


@router.get("/{id}", summary="Read one image", response_model=ImageView, responses={304: {}})
async def read_image(
    context: Context,
    caller: Caller,
    id: Id,  # noqa: A002 - the contract's own name
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return an image with its ETag."""
    views = await ImageViews.open(context, caller.tenant)
    row, parts = await reading.read_image(context.database, caller.tenant, id)
    if is_not_modified(if_none_match, image_etag(row)):
        return Response(status_code=304, headers={"etag": image_etag(row)})
    return json_answer(views.complete(row, parts), etag=image_etag(row))


@router.get("/{id}/original", summary="Download the original", response_class=Response, responses=_FILE)
async def download_original(context: Context, caller: Caller, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Return the bytes that the image stands on, as an attachment."""
    async with context.database.reading() as session:
        row = await service.find_image(session, caller.tenant, id)
    original = await context.originals.open(caller.tenant, Digest(row.original))
    return Download(original, row.media_type, row.file_name or row.original, etag=f'"{row.original}"')


@router.put("/{id}/metadata", summary="Replace what is said about an image", response_model=ImageView)
async def replace_metadata(
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    body: MetadataPut,
    if_match: IfMatch = None,
) -> Response:
    """Replace title, texts, tags, metadata and focal point; what the body leaves out has its default."""

    async def next_description(_session: AsyncSession, _image: Image) -> Description:
        return _description(body)

    return await _change_metadata(context, change, id, if_match, next_description)


@router.patch("/{id}/metadata", summary="Change what is said about an image", response_model=ImageView)
async def patch_metadata(
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    body: MetadataPatch,
    if_match: IfMatch = None,
) -> Response:
    """Apply a JSON merge patch (RFC 7396) to title, texts, tags, metadata and focal point."""

    async def next_description(session: AsyncSession, image: Image) -> Description:
        before = _document(await service.describe(session, image))
        merged = merge_patch(before, body.model_dump(exclude_unset=True))
        try:
            return _description(MetadataPut.model_validate(merged))
        except ValidationError as error:
            errors: Any = [dict(fault) | {"loc": ("body", *fault["loc"])} for fault in error.errors()]
            raise ValidationFailed(to_field_errors(errors)) from None

    return await _change_metadata(context, change, id, if_match, next_description)


async def _change_metadata(
    context: ApiContext,
    change: Change,
    identifier: str,
    if_match: str | None,
    next_description: Callable[[AsyncSession, Image], Awaitable[Description]],
) -> Response:
    views = await ImageViews.open(context, change.principal.tenant)

    async def work(session: AsyncSession) -> Response:
        row = await service.find_image(session, change.principal.tenant, identifier, lock=True)
        service.check_ownership(change.principal, row)
        check_if_match(if_match, image_etag(row))
        description = await next_description(session, row)
        await service.change_description(session, change.principal, change.origin, row, description)
        return json_answer(await views.view(session, row), etag=image_etag(row))

    return await change.run(work)


def _description(body: MetadataPut) -> Description:
    return Description(
        body.title or None, body.alt_text, body.caption, tuple(body.tags), body.metadata, (body.focus.x, body.focus.y)
    )


def _document(description: Description) -> dict[str, Any]:
    """Return a description as the document that a merge patch is applied to."""
    x, y = description.focus
    return {
        "title": description.title,
        "alt_text": description.alt_text,
        "caption": description.caption,
        "tags": list(description.tags),
        "metadata": dict(description.metadata),
        "focus": {"x": x, "y": y},
    }
