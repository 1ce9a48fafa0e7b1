"""Routes of a tenant's settings."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.conditions import IfMatch, check_if_match, etag_of
from catalog.api.context import Caller, Changing, Context
from catalog.api.openapi_parts import told
from catalog.settings.schemas import SettingsDocument, document_of
from catalog.settings.service import StoredSettings, lock_settings, read_settings
from catalog.settings.tasks import replace_and_purge
from proxy.core.identifiers import TenantName

router = APIRouter(prefix="/api/settings", tags=["settings"])


@router.get("", summary="Read the tenant's settings", response_model=SettingsDocument, responses={200: told("ETag")})
async def read(context: Context, caller: Caller) -> Response:
    """Return all settings; what was never set has its default."""
    async with context.database.reading() as session:
        stored = await read_settings(session, caller.tenant)
    return _answer(caller.tenant, stored)


@router.put("", summary="Replace the tenant's settings", response_model=SettingsDocument, responses={200: told("ETag")})
async def replace(context: Context, change: Changing, body: SettingsDocument, if_match: IfMatch = None) -> Response:
    """Replace all settings: what is left out has its default. Servers apply them within seconds.

    If the rendering changes, the tenant's derivatives are deleted by a job, and are rendered again on request.
    """

    async def work(session: AsyncSession) -> Response:
        tenant = change.principal.tenant
        before = await lock_settings(session, tenant)
        check_if_match(if_match, etag_of(tenant, before.version))
        ttl_s = context.platform.settings.tenant_ttl_s
        stored = await replace_and_purge(session, change.principal, change.origin, body.to_settings(), ttl_s)
        return _answer(tenant, stored)

    return await change.run(work)


def _answer(tenant: TenantName, stored: StoredSettings) -> Response:
    return json_answer(document_of(stored.own), etag=etag_of(tenant, stored.version))
