"""A job reaches the rows of its tenant, and the engine those of every tenant."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import select

from catalog.adapters.in_process_engine import InProcessEngine
from catalog.core.job_state import JobState
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.jobs.schedules import Recurring
from catalog.records.tables import Tenant
from catalog.records.tenant_scope import EVERY_TENANT, current_scope, every_tenant, no_tenant
from tests.catalog.jobs.kinds import OPTIONS
from tests.catalog.jobs.queue import Queue
from tests.catalog.jobs.test_engines import finished
from tests.catalog.samples import ACME, ZOO


async def test_each_handler_runs_in_the_scope_of_its_tenant(queue: Queue) -> None:
    seen: dict[str, list[str]] = {}
    embedded = queue.database.embedded

    async def handle(job: RunningJob) -> Mapping[str, Any]:
        await job.progress(1, 2)
        async with job.transaction() as session:
            found = sorted(await session.scalars(select(Tenant.name)))
        with every_tenant():
            await job.heartbeat()
            async with job.transaction() as session:
                everyone = sorted(await session.scalars(select(Tenant.name)))
        assert everyone == [ACME, ZOO]
        seen[job.tenant] = [current_scope(), *found]
        return {}

    registry = HandlerRegistry()
    registry.register("scoped", handle)
    scopes = []

    async def start(_: object) -> None:
        scopes.append(current_scope())

    with no_tenant():
        engine = InProcessEngine(queue.database, registry, OPTIONS, [Recurring("scopes", timedelta(days=1), start)])
        engine.start()
    jobs = [await queue.add(tenant, kind="scoped") for tenant in (ACME, ZOO)]
    assert await finished(queue, *jobs) == [JobState.SUCCEEDED] * 2
    await engine.stop()
    everything = [ACME, ZOO]
    assert seen == {tenant: [tenant, *(everything if embedded else [tenant])] for tenant in everything}
    assert scopes == [EVERY_TENANT]
