"""Jobs of caches."""

from collections.abc import Mapping
from typing import Any

from catalog.caches import service
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the kinds of jobs."""

    async def purge(job: RunningJob) -> Mapping[str, Any]:
        return await service.purge(job, platform)

    registry.register(service.PURGE, purge)
