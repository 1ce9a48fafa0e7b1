"""Deletion for good: delivery refuses, the rows go, and then the bytes, so that a cut at any point can be resumed.

    request   one transaction: the originals are refused, the image's rows are deleted, the job is queued
    job       for each original: in one transaction that has locked its row, check that nothing stands on it, delete its
              derivatives' rows, its bytes and its row; then purge the tiers
    sweep     originals that are refused, and on which nothing stands, get the job again (`catalog.trash.expiry`)

An upload of the same bytes takes the same lock before it is acknowledged, and then makes sure that they are stored. So
it either comes first, and the job finds that the original is not refused, or it stores the bytes again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from catalog.audit.service import record
from catalog.caches.service import enqueue_purge, in_parts
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.jobs.enqueue import Owner, System, enqueue
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.records.derivative import Derivative
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.records.original import Original
from catalog.records.refusals import is_refused, lock_originals, originals_of, refresh_refusals, stands
from catalog.trash.service import release
from proxy.core.errors import Unavailable
from proxy.core.identifiers import Digest

DELETE: Final = "images.delete"
DELETE_S: Final = 15.0
"""How long a row is locked at most while its bytes are deleted."""
SETTLE_S: Final = 3.0
"""How long it stays locked after a deletion whose outcome is unknown, as the store may still carry it out; less than a
job that is stopped has to clean up."""


async def delete_image(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, *, force: bool = False
) -> Job:
    """Delete the rows of a locked image, and queue the deletion of what it stands on; return that job.

    With `force` it is unlinked from the entities that use it. Raise ImageInUse without.
    """
    await release(session, principal, origin, image, force=force)
    originals = sorted(await originals_of(session, principal.tenant, image.id))
    before = {"original": image.original, "file_name": image.file_name, "status": image.status}
    await session.flush()
    await session.execute(delete(Image).where(col(Image.id) == image.id, col(Image.tenant) == principal.tenant))
    session.expunge(image)
    await refresh_refusals(session, principal.tenant, originals)
    await record(session, principal, origin, "image.deleted", ("image", image.id), before=before)
    first, *_ = await enqueue_deletion(session, principal, originals, Priority.PERSON, image=image.id)
    return first


async def enqueue_deletion(
    session: AsyncSession,
    owner: Owner,
    originals: Sequence[str],
    priority: Priority,
    *,
    image: str | None = None,
) -> list[Job]:
    """Queue the deletion of originals that are refused, for those on which nothing stands when the job runs."""
    parts = in_parts(originals)
    return [await enqueue(session, owner, DELETE, {"originals": part}, priority, image=image) for part in parts]


async def delete_originals(job: RunningJob, platform: Platform) -> dict[str, Any]:
    """Do the work of a job of the kind DELETE; return how many originals were deleted."""
    originals: list[str] = list(job.parameters["originals"])
    deleted: list[str] = []
    for number, original in enumerate(originals):
        await job.progress(number, len(originals))
        if await _delete_original(job, platform, Digest(original)):
            await platform.derivatives.purge(job.tenant, Digest(original))
            deleted.append(original)
    result = {"originals": len(deleted)}
    async with job.transaction() as session:
        if deleted:
            # renders that were under way may have been written meanwhile
            owner = System(job.tenant)
            await enqueue_purge(session, owner, deleted, Priority.MAINTENANCE, image=job.image, again=False)
        await job.succeed(session, result)
    return result


async def _delete_original(job: RunningJob, platform: Platform, original: Digest) -> bool:
    """Delete an original with its rows. Return False if something stands on it, or it has been uploaded again."""
    async with job.transaction() as session:
        has_row = await lock_originals(session, job.tenant, [original])
        if not await is_refused(session, job.tenant, original) or await stands(session, job.tenant, original):
            return False
        if has_row:
            mine = (col(Derivative.tenant) == job.tenant, col(Derivative.original) == original)
            await session.execute(delete(Derivative).where(*mine))
            async with _settled():
                await platform.originals.delete(job.tenant, original)
            row = (col(Original.tenant) == job.tenant, col(Original.sha256) == original)
            await session.execute(delete(Original).where(*row))
    return True


@asynccontextmanager
async def _settled() -> AsyncIterator[None]:
    """Bound a deletion of bytes. If its outcome is unknown, wait under the lock until the store will not act on it."""
    try:
        try:
            async with asyncio.timeout(DELETE_S):
                yield
        except TimeoutError:
            raise Unavailable("The picture store does not respond.") from None
    except (Unavailable, asyncio.CancelledError):
        await asyncio.sleep(SETTLE_S)
        raise
