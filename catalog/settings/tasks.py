"""Jobs of settings: derivatives that another way of rendering has made unreachable are deleted."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.jobs.enqueue import Owner, enqueue
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.records.base import now
from catalog.settings.service import OwnSettings, StoredSettings, lock_settings, replace_settings
from proxy.core.identifiers import TenantName, tenant_name

PURGE: Final = "derivatives.purge"


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the kinds of jobs."""

    async def purge(job: RunningJob) -> Mapping[str, Any]:
        tenant = tenant_name(str(job.parameters["tenant"]))
        return {"deleted": await platform.derivatives.purge(tenant)}

    registry.register(PURGE, purge)


async def enqueue_purge(session: AsyncSession, owner: Owner, tenant: TenantName, tenant_ttl_s: float) -> None:
    """Queue the deletion of a tenant's derivatives, for when every server has read the tenant again.

    Until then a server may still store derivatives of the old kind. `tenant_ttl_s` is the lifetime of cached tenants.
    """
    run_at = now() + timedelta(seconds=2 * tenant_ttl_s)
    await enqueue(session, owner, PURGE, {"tenant": tenant}, Priority.MAINTENANCE, run_at=run_at)


async def replace_and_purge(
    session: AsyncSession, principal: Principal, origin: Origin, own: OwnSettings, tenant_ttl_s: float
) -> StoredSettings:
    """Replace all settings of the principal's tenant, and queue the purge if images are rendered differently now.

    Raise what `replace_settings` raises.
    """
    before = await lock_settings(session, principal.tenant)
    stored = await replace_settings(session, principal, origin, own)
    if stored.own.rendering != before.own.rendering:
        await enqueue_purge(session, principal, principal.tenant, tenant_ttl_s)
    return stored
