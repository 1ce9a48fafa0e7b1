"""Routes of sources."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.conditions import IfMatch, check_if_match, etag_of_change
from catalog.api.context import ApiContext, Caller, Changing, Context
from catalog.api.openapi_parts import told
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_name
from catalog.core.api_errors import FieldError, ValidationFailed
from catalog.core.errors import SourceConflict
from catalog.records.tenant_lock import lock_tenant
from catalog.sources import service
from catalog.sources.schemas import SourceCreate, SourceId, SourceView, SourceWrite, view_of
from catalog.sources.service import Source
from proxy.core.errors import MalformedRequest
from proxy.core.url.source_reference import check_prefix

router = APIRouter(prefix="/api/sources", tags=["sources"])


@router.get("", summary="List the tenant's sources")
async def list_sources(context: Context, caller: Caller, query: Annotated[PageQuery, Query()]) -> Page[SourceView]:
    """Return the sources, in the order of their prefixes, without the values of their credentials."""
    after = by_name(open_position(context.cursors, query, caller.tenant, "sources"))
    async with context.database.reading() as session:
        sources = await service.list_sources(session, context.database.cipher, caller.tenant)
    rows = [source for source in sources if after is None or source.prefix > after][: query.limit + 1]
    cursor = next_cursor(context.cursors, query, caller.tenant, "sources", rows, lambda source: [source.prefix])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{id}", summary="Read one source", response_model=SourceView, responses={200: told("ETag")})
async def read_source(context: Context, caller: Caller, id: SourceId) -> Response:  # noqa: A002 - the contract's own name
    """Return a source without the values of its credentials."""
    async with context.database.reading() as session:
        source = await service.find_source(session, context.database.cipher, caller.tenant, id)
    return json_answer(view_of(source), etag=_etag(source))


@router.post("", summary="Allow a source", status_code=201, response_model=SourceView, responses={201: told("ETag")})
async def create_source(context: Context, change: Changing, body: SourceCreate) -> Response:
    """Allow references to what is below a prefix; a prefix that is allowed already is 409."""
    try:
        prefix = check_prefix(body.prefix)
    except MalformedRequest as error:
        raise ValidationFailed([FieldError("/prefix", "prefix", error.detail)]) from None
    _check(prefix, body.values(), context)

    async def work(session: AsyncSession) -> Response:
        source = await service.create_source(
            session,
            context.database.cipher,
            change.principal,
            change.origin,
            prefix,
            body.values(),
            store_bucket=_store_bucket(context),
        )
        return created(f"/api/sources/{source.id}", view_of(source), etag=_etag(source))

    return await change.run(work)


@router.put("/{id}", summary="Change a source", response_model=SourceView, responses={200: told("ETag")})
async def change_source(
    context: Context,
    change: Changing,
    id: SourceId,  # noqa: A002 - the contract's own name
    body: SourceWrite,
    if_match: IfMatch = None,
) -> Response:
    """Replace all credentials of a source."""

    async def work(session: AsyncSession) -> Response:
        await lock_tenant(session, change.principal.tenant)
        row = await service.find_row(session, change.principal.tenant, id)
        check_if_match(if_match, etag_of_change(id, row.created_at))
        _check(row.prefix, body.values(), context)
        source = await service.put_source(
            session,
            context.database.cipher,
            change.principal,
            change.origin,
            row.prefix,
            body.values(),
            store_bucket=_store_bucket(context),
        )
        return json_answer(view_of(source), etag=_etag(source))

    return await change.run(work)


@router.delete("/{id}", summary="Delete a source", status_code=204)
async def delete_source(context: Context, change: Changing, id: SourceId, if_match: IfMatch = None) -> Response:  # noqa: A002 - the contract's own name
    """Delete a source; what was fetched from it stays among the originals."""

    async def work(session: AsyncSession) -> Response:
        await lock_tenant(session, change.principal.tenant)
        row = await service.find_row(session, change.principal.tenant, id)
        check_if_match(if_match, etag_of_change(id, row.created_at))
        await service.delete_source(session, context.database.cipher, change.principal, change.origin, row.prefix)
        return no_content()

    return await change.run(work)


def _check(prefix: str, credentials: Mapping[str, str], context: ApiContext) -> None:
    """Raise ValidationFailed for credentials that do not fit the prefix."""
    try:
        service.check_credentials(prefix, credentials, _store_bucket(context))
    except SourceConflict as error:
        raise ValidationFailed([FieldError("/credentials", "credentials", error.detail)]) from None


def _store_bucket(context: ApiContext) -> str:
    """Return the bucket of the installation's own store, which no source may open with the servers' credentials."""
    return urlsplit(context.platform.settings.store_url).netloc


def _etag(source: Source) -> str:
    return etag_of_change(source.id, source.created_at)
