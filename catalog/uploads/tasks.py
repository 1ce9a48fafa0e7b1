"""Jobs of uploads: the sweep deletes uploads that have expired, with their bytes.

Bytes first, then the row: what a kill leaves half-deleted has its row, and is deleted by the next sweep. An hour passes
between the end of an upload and its deletion, so that a request that was under way has ended.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.job_state import Priority
from catalog.jobs.enqueue import System, enqueue
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.jobs.schedules import Recurring
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.upload_session import UploadSession
from proxy.core.identifiers import TenantName, UploadId, upload_id

SWEEP: Final = "uploads.sweep"
GRACE: Final = timedelta(hours=1)
_BATCH: Final = 100
_TENANTS: Final = 1_000
"""Tenants that one start of the schedule takes; the others are due the next time."""


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the kinds of jobs."""

    async def sweep(job: RunningJob) -> Mapping[str, Any]:
        return await sweep_uploads(job, platform)

    registry.register(SWEEP, sweep)


async def enqueue_sweeps(session: AsyncSession) -> None:
    """Queue a sweep for each tenant that has uploads to delete."""
    due = select(UploadSession.tenant).where(col(UploadSession.expires_at) < now() - GRACE).distinct().limit(_TENANTS)
    for tenant in (await session.scalars(due)).all():
        await enqueue(session, System(TenantName(tenant)), SWEEP, {}, Priority.MAINTENANCE, dedupe_key=SWEEP)


SCHEDULE: Final = Recurring(SWEEP, timedelta(hours=1), enqueue_sweeps)


async def sweep_uploads(job: RunningJob, platform: Platform, *, at: datetime | None = None) -> dict[str, Any]:
    """Delete the tenant's expired uploads, and bytes that no row knows; return how many of each."""
    before, expired = (at or now()) - GRACE, 0
    while identifiers := await _find_expired(platform, job.tenant, before):
        for identifier in identifiers:
            await platform.upload_parts.delete(job.tenant, UploadId(identifier))
        async with job.transaction() as session:
            swept = (col(UploadSession.tenant) == job.tenant, col(UploadSession.id).in_(identifiers))
            await session.execute(delete(UploadSession).where(*swept))
        expired += len(identifiers)
    orphans = await _find_orphans(platform, job.tenant)
    for upload in orphans:
        await platform.upload_parts.delete(job.tenant, upload)
        await job.heartbeat()
    return {"expired": expired, "orphans": len(orphans)}


async def _find_expired(platform: Platform, tenant: TenantName, before: datetime) -> list[str]:
    query = select(UploadSession.id).where(UploadSession.tenant == tenant, col(UploadSession.expires_at) < before)
    async with platform.database.reading() as session:
        return list(await session.scalars(query.limit(_BATCH)))


async def _find_orphans(platform: Platform, tenant: TenantName) -> list[UploadId]:
    """Return uploads that have bytes and no row; a row is there before its first byte, so none of them is new."""
    uploads = []
    for name in await platform.upload_parts.uploads(tenant):
        try:
            uploads.append(upload_id(name))
        except ValueError:
            continue  # not of ours
    orphans: list[UploadId] = []
    for start in range(0, len(uploads), _BATCH):
        batch = uploads[start : start + _BATCH]
        async with platform.database.reading() as session:
            query = select(UploadSession.id).where(UploadSession.tenant == tenant, col(UploadSession.id).in_(batch))
            known = set(await session.scalars(query))
        orphans += [upload for upload in batch if upload not in known]
    return orphans
