"""One writer at a time for what belongs to a tenant."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.records import Tenant
from catalog.refusals import TenantMissing
from proxy.core.names import TenantName


async def lock_tenant(session: AsyncSession, name: TenantName, *, lock: bool = True) -> Tenant:
    """Give a tenant's row, ours alone until the transaction ends (or unlocked); TenantMissing."""
    query = select(Tenant).where(Tenant.name == name)
    found = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if found is None:
        raise TenantMissing(f"There is no tenant {name}: make it with darkroom tenant create {name}.")
    return found
