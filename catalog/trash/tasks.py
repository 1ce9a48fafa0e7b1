"""Jobs of the trash, and their schedule."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.jobs.schedules import Recurring
from catalog.ports import Platform
from catalog.trash import deletion, expiry

EXPIRY: Final = Recurring(expiry.EXPIRE, timedelta(hours=1), expiry.start_expiry)


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the kinds of jobs."""

    async def delete(job: RunningJob) -> Mapping[str, Any]:
        return await deletion.delete_originals(job, platform)

    async def expire(job: RunningJob) -> Mapping[str, Any]:
        return await expiry.expire(job, platform)

    registry.register(deletion.DELETE, delete)
    registry.register(expiry.EXPIRE, expire)
