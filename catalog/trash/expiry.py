"""Expiry of the trash: what is longer in it than the tenant keeps it is deleted for good, a bounded part at a time."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, exists, or_, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.image_status import ImageStatus
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.jobs.enqueue import System, enqueue
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.image import Image, ImageVersion
from catalog.records.original import Original
from catalog.records.refused_original import RefusedOriginal
from catalog.records.tenant import Tenant
from catalog.records.watermark import Watermark
from catalog.tenants.rules import rules_of_tenant
from catalog.trash.deletion import delete_image, enqueue_deletion
from catalog.trash.service import lock_image
from proxy.core.identifiers import TenantName

EXPIRE: Final = "trash.expire"
MOST_IMAGES: Final = 2_000
"""Images that one run deletes; the next run goes on."""
MOST_LEFTOVERS: Final = 500
_PAGE: Final = 100
_LIFTED: Final = timedelta(days=1)
"""How long a refusal that was lifted is kept: a node that has not read for so long reads everything."""
_Place = tuple[datetime, str]


async def start_expiry(session: AsyncSession) -> None:
    """Queue a job for each tenant that has anything in its trash, or had."""
    trashed = exists().where(col(Image.tenant) == col(Tenant.name), col(Image.status) == ImageStatus.TRASHED.value)
    refused = exists().where(col(RefusedOriginal.tenant) == col(Tenant.name))
    for name in (await session.scalars(select(Tenant.name).where(or_(trashed, refused)))).all():
        owner = System(TenantName(name))
        await enqueue(session, owner, EXPIRE, {}, Priority.MAINTENANCE, dedupe_key=EXPIRE)


async def expire(job: RunningJob, platform: Platform) -> dict[str, Any]:
    """Do the work of a job of the kind EXPIRE; return how many images, and left over originals, it deletes."""
    async with job.transaction() as session:
        leftovers = await _find_leftovers(session, job.tenant)
        if leftovers:
            await enqueue_deletion(session, System(job.tenant), leftovers, Priority.MAINTENANCE)
        await _delete_lifted(session, job.tenant)
    rules = await rules_of_tenant(platform.database, job.tenant)
    days = rules.retention.trash_days
    images = 0 if days is None else await _delete_expired(job, platform, now() - timedelta(days=days))
    return {"images": images, "leftovers": len(leftovers)}


async def _delete_expired(job: RunningJob, platform: Platform, before: datetime) -> int:
    """Delete images that were trashed before a moment, each in a transaction of its own; return their number."""
    count, place = 0, None
    while count < MOST_IMAGES:
        async with platform.database.reading() as session:
            page = await _find_expired(session, job.tenant, before, place)
        for trashed_at, identifier in page:
            count += await _delete_one(job, identifier, before)
            place = (trashed_at, identifier)
        await job.progress(count)
        if len(page) < _PAGE:
            break
    return count


async def _delete_one(job: RunningJob, identifier: str, before: datetime) -> bool:
    """Delete an image unless it was restored or changed meanwhile: then the next run looks at it again."""
    principal = Principal("system", job.tenant, Role.ADMIN)
    try:
        async with job.transaction() as session:
            image = await lock_image(session, principal, identifier)
            if image.status != ImageStatus.TRASHED.value or image.trashed_at is None or image.trashed_at >= before:
                return False
            await delete_image(session, principal, Origin(), image, force=True)
    except (ResourceNotFound, ResourceConflict):
        return False
    return True


async def _find_expired(
    session: AsyncSession, tenant: TenantName, before: datetime, after: _Place | None
) -> list[_Place]:
    """Return the next page of expired images, the oldest first: when they were trashed, and their ids."""
    query = (
        select(Image.trashed_at, Image.id)
        .where(Image.tenant == tenant, Image.status == ImageStatus.TRASHED.value, col(Image.trashed_at) < before)
        .order_by(col(Image.trashed_at), col(Image.id))
    )
    if after is not None:
        query = query.where(tuple_(col(Image.trashed_at), col(Image.id)) > tuple_(*after))
    return [(moment, name) for moment, name in await session.execute(query.limit(_PAGE)) if moment is not None]


async def _find_leftovers(session: AsyncSession, tenant: TenantName) -> list[str]:
    """Return originals that are refused and on which nothing stands: their deletion was cut or has failed for good."""
    stands = (
        exists().where(col(claim.tenant) == col(Original.tenant), col(claim.original) == col(Original.sha256))
        for claim in (Image, ImageVersion, Watermark)
    )
    query = (
        select(Original.sha256)
        .join(
            RefusedOriginal,
            (col(RefusedOriginal.tenant) == col(Original.tenant))
            & (col(RefusedOriginal.original) == col(Original.sha256)),
        )
        .where(Original.tenant == tenant, col(RefusedOriginal.refused), *(~claim for claim in stands))
        .order_by(col(Original.sha256))
    )
    return list(await session.scalars(query.limit(MOST_LEFTOVERS)))


async def _delete_lifted(session: AsyncSession, tenant: TenantName) -> None:
    """Delete refusals that were lifted so long ago that every node knows."""
    mine = (col(RefusedOriginal.tenant) == tenant, ~col(RefusedOriginal.refused))
    await session.execute(delete(RefusedOriginal).where(*mine, col(RefusedOriginal.changed_at) < now() - _LIFTED))
