"""Purges: derivatives are deleted from the shared tiers by a job, and dropped from the memory of all nodes.

An image's derivatives are found by their original. Those of a preset are not: their keys hold the recipe that the
preset and the link made together. So a preset is purged as everything of a tenant is: a new cache epoch makes all
derivatives unreachable at once, and the job deletes them.

A node may be about to write a derivative when its image is purged. So the job for an image comes again a minute later,
when every render that had begun is written.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.audit.service import record
from catalog.core.api_errors import ResourceNotFound
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.images.service import find_image
from catalog.jobs.enqueue import Owner, enqueue
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.presets.service import newest_presets
from catalog.records.base import now
from catalog.records.job import Job
from catalog.records.refusals import originals_of, touch_original
from catalog.records.tenant_lock import lock_tenant
from proxy.core.identifiers import Digest

PURGE: Final = "caches.purge"
MOST_ORIGINALS: Final = 500
"""Originals of one job: its parameters are bounded."""
AGAIN_S: Final = 60.0
"""Longer than a request may render and its derivative wait to be written, with the time for which nodes do not know."""


async def purge_image(session: AsyncSession, principal: Principal, origin: Origin, identifier: str) -> Job:
    """Purge the derivatives of an image, its earlier versions included. Raise ResourceNotFound."""
    image = await find_image(session, principal.tenant, identifier)
    originals = await originals_of(session, principal.tenant, image.id)
    job = await enqueue_purge(session, principal, sorted(originals), Priority.PERSON, image=image.id)
    await record(session, principal, origin, "image.purged", ("image", image.id), after={"job": job.id})
    return job


async def purge_preset(session: AsyncSession, principal: Principal, origin: Origin, name: str) -> Job:
    """Purge all derivatives of the tenant, those of the preset among them. Raise ResourceNotFound."""
    presets = await newest_presets(session, principal.tenant)
    if not any(preset.name == name and preset.recipe is not None for preset in presets):
        raise ResourceNotFound("There is no such preset.")
    return await _purge_tenant(session, principal, origin, "preset.purged", ("preset", name))


async def purge_tenant(session: AsyncSession, principal: Principal, origin: Origin) -> Job:
    """Purge all derivatives of the tenant."""
    return await _purge_tenant(session, principal, origin, "tenant.purged", ("tenant", principal.tenant))


async def enqueue_purge(  # noqa: PLR0913 - a job's own parts
    session: AsyncSession,
    owner: Owner,
    originals: Sequence[str],
    priority: Priority,
    *,
    image: str | None = None,
    again: bool = True,
) -> Job:
    """Queue the purge of originals, and have it come `again` a minute after it was done; return the first job."""
    run_at = now() if again else now() + timedelta(seconds=AGAIN_S)
    jobs = [
        await enqueue(session, owner, PURGE, {"originals": part, "again": again}, priority, image=image, run_at=run_at)
        for part in in_parts(originals)
    ]
    return jobs[0]


def in_parts(originals: Sequence[str]) -> list[list[str]]:
    """Return originals in parts that the parameters of a job have room for; at least one."""
    starts = range(0, max(1, len(originals)), MOST_ORIGINALS)
    return [list(originals[start : start + MOST_ORIGINALS]) for start in starts]


async def purge(job: RunningJob, platform: Platform) -> dict[str, Any]:
    """Do the work of a job of the kind PURGE; return how many derivatives there were."""
    if job.parameters.get("all"):
        return {"derivatives": await platform.derivatives.purge(job.tenant)}
    originals: list[str] = list(job.parameters["originals"])
    count = 0
    for number, original in enumerate(originals):
        await job.progress(number, len(originals))
        count += await platform.derivatives.purge(job.tenant, Digest(original))
    result = {"derivatives": count}
    async with job.transaction() as session:
        for original in originals:
            await touch_original(session, job.tenant, original)
        if job.parameters.get("again"):
            await enqueue_purge(session, _Owner(job), originals, Priority.MAINTENANCE, image=job.image, again=False)
        await job.succeed(session, result)
    return result


class _Owner:
    """On whose behalf a job's follow-up runs."""

    def __init__(self, job: RunningJob) -> None:
        self.tenant = job.tenant
        self.subject = job.created_by


async def _purge_tenant(
    session: AsyncSession, principal: Principal, origin: Origin, action: str, subject: tuple[str, str]
) -> Job:
    row = await lock_tenant(session, principal.tenant)
    row.cache_epoch += 1
    job = await enqueue(session, principal, PURGE, {"all": True}, Priority.PERSON)
    await record(session, principal, origin, action, subject, after={"job": job.id, "cache_epoch": row.cache_epoch})
    return job
