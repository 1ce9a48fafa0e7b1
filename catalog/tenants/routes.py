"""Routes of tenants, for operators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.conditions import IfMatch, check_if_match, etag_of
from catalog.api.context import Caller, Changing, Context
from catalog.api.openapi_parts import told
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_name
from catalog.core.api_errors import ResourceConflict, ValidationFailed
from catalog.settings.service import StoredSettings, lock_settings, read_settings
from catalog.settings.tasks import enqueue_purge, replace_and_purge
from catalog.tenants import service
from catalog.tenants.schemas import (
    FirstKey,
    TenantCreate,
    TenantCreated,
    TenantDetails,
    TenantId,
    TenantView,
    TenantWrite,
    details_of,
    view_of,
)
from proxy.core.identifiers import TenantName

router = APIRouter(prefix="/api/tenants", tags=["tenants"])


@router.get("", summary="List all tenants")
async def list_tenants(context: Context, caller: Caller, query: Annotated[PageQuery, Query()]) -> Page[TenantView]:
    """Return the tenants, in the order of their names."""
    after = by_name(open_position(context.cursors, query, caller.tenant, "tenants"))
    async with context.database.reading() as session:
        rows = await service.list_tenants(session, query.limit + 1, None if after is None else TenantName(after))
    cursor = next_cursor(context.cursors, query, caller.tenant, "tenants", rows, lambda tenant: [tenant.name])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{name}", summary="Read one tenant", response_model=TenantDetails, responses={200: told("ETag")})
async def read_tenant(context: Context, _: Caller, name: TenantId) -> Response:
    """Return a tenant with its settings."""
    async with context.database.reading() as session:
        return await _answer(session, TenantName(name), await read_settings(session, TenantName(name)))


@router.post("", summary="Create a tenant", status_code=201, response_model=TenantCreated)
async def create_tenant(context: Context, change: Changing, body: TenantCreate) -> Response:
    """Create a tenant with the default presets and its first signing key. The secret is in this answer alone."""
    secret = None if body.secret is None else body.secret.get_secret_value()
    name = TenantName(body.name)

    async def work(session: AsyncSession) -> Response:
        cipher, principal = context.database.cipher, replace(change.principal, tenant=name)
        key = await service.create_tenant(session, cipher, principal, change.origin, name, secret)
        if body.settings is not None:
            ttl_s = context.platform.settings.tenant_ttl_s
            with _faults_in_settings():
                await replace_and_purge(session, principal, change.origin, body.settings.to_settings(), ttl_s)
        first = FirstKey(id=key.id, fingerprint=key.fingerprint, secret=key.secret)
        return created(f"/api/tenants/{name}", TenantCreated(name=name, key=first))

    return await change.run(work)


@router.put("/{name}", summary="Change a tenant", response_model=TenantDetails, responses={200: told("ETag")})
async def change_tenant(
    context: Context, change: Changing, name: TenantId, body: TenantWrite, if_match: IfMatch = None
) -> Response:
    """Replace the settings of a tenant, as `PUT /api/settings` does for one's own."""
    tenant = TenantName(name)

    async def work(session: AsyncSession) -> Response:
        before = await lock_settings(session, tenant)
        check_if_match(if_match, etag_of(tenant, before.version))
        principal, ttl_s = replace(change.principal, tenant=tenant), context.platform.settings.tenant_ttl_s
        with _faults_in_settings():
            stored = await replace_and_purge(session, principal, change.origin, body.settings.to_settings(), ttl_s)
        return await _answer(session, tenant, stored)

    return await change.run(work)


@router.delete("/{name}", summary="Delete a tenant", status_code=204)
async def delete_tenant(context: Context, change: Changing, name: TenantId, if_match: IfMatch = None) -> Response:
    """Delete a tenant that is empty, with its keys, tokens, presets, watermarks, sources, settings and jobs.

    One that has images (the trash included), originals or unfinished jobs is 409 with their numbers. Its audit trail
    is kept. The caller's own tenant cannot be deleted.
    """
    tenant = TenantName(name)

    async def work(session: AsyncSession) -> Response:
        if tenant == change.principal.tenant:
            raise ResourceConflict("The token belongs to this tenant: use one of another tenant to delete it.")
        before = await lock_settings(session, tenant)
        check_if_match(if_match, etag_of(tenant, before.version))
        await service.delete_tenant(session, change.principal, change.origin, tenant)
        await enqueue_purge(session, change.principal, tenant, context.platform.settings.tenant_ttl_s)
        return no_content()

    return await change.run(work)


@contextmanager
def _faults_in_settings() -> Iterator[None]:
    """Let the faults of a settings document point into the body that contains it."""
    try:
        yield
    except ValidationFailed as error:
        raise ValidationFailed([replace(fault, at=f"/settings{fault.at}") for fault in error.errors]) from None


async def _answer(session: AsyncSession, tenant: TenantName, stored: StoredSettings) -> Response:
    details = details_of(await service.find_tenant(session, tenant), stored.own)
    return json_answer(details, etag=etag_of(tenant, stored.version))
