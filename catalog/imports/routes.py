"""Routes of imports."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.context import Changing, Context
from catalog.api.openapi_parts import told
from catalog.imports.schemas import ImportBody
from catalog.imports.service import ImportOrder, enqueue_import, read_address
from catalog.jobs.schemas import JobView, view_of
from catalog.tenants.tenant_repository import find_signer

router = APIRouter(prefix="/api/images/import", tags=["uploads"])

_ACCEPTED = 202
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    _ACCEPTED: {"model": JobView, "description": "The job.", **told("Location")}
}


@router.post("", summary="Import an image from an address", status_code=_ACCEPTED, responses=_RESPONSES)
async def import_image(context: Context, change: Changing, body: ImportBody) -> Response:
    """Queue a job that fetches an address within the tenant's sources; its result is `{"image", "duplicate"}`."""
    tenant = await find_signer(context.database, change.principal.tenant)
    order = ImportOrder(read_address(body.url, tenant.sources), body.fields())

    async def work(session: AsyncSession) -> Response:
        job = await enqueue_import(session, context.database.cipher, change.principal, change.origin, order)
        await session.flush()
        return json_answer(view_of(job), _ACCEPTED, location=f"/api/jobs/{job.id}")

    return await change.run(work)
