"""Routes of caches."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.context import Changing
from catalog.caches import service
from catalog.caches.schemas import PurgeRequest
from catalog.jobs.schemas import JobView, view_of
from catalog.records.job import Job

router = APIRouter(prefix="/api/purge", tags=["caches"])

_ACCEPTED = 202


@router.post("", summary="Purge derivatives", status_code=_ACCEPTED, response_model=JobView)
async def purge(change: Changing, body: PurgeRequest) -> Response:
    """Delete derivatives from every tier on every node, by a job; they are rendered again on request.

    A preset's derivatives cannot be told from others of the tenant: all of them are purged.
    """

    async def work(session: AsyncSession) -> Response:
        return json_answer(view_of(await _purge(session, change, body)), _ACCEPTED)

    return await change.run(work)


async def _purge(session: AsyncSession, change: Changing, body: PurgeRequest) -> Job:
    who = (change.principal, change.origin)
    if body.image is not None:
        return await service.purge_image(session, *who, body.image)
    if body.preset is not None:
        return await service.purge_preset(session, *who, body.preset)
    return await service.purge_tenant(session, *who)
