"""Access to a tenant's row, and a lock on everything that belongs to the tenant."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.core.errors import TenantNotFound
from catalog.records.tables import Tenant
from proxy.core.identifiers import TenantName


async def lock_tenant(session: AsyncSession, name: TenantName) -> Tenant:
    """Return a tenant's row, locked until the transaction ends. Raise TenantNotFound."""
    row = (await session.scalars(select(Tenant).where(Tenant.name == name).with_for_update())).one_or_none()
    if row is None:
        raise tenant_not_found(name)
    return row


async def get_tenant(session: AsyncSession, name: TenantName) -> Tenant:
    """Return a tenant's row for reading. Raise TenantNotFound."""
    row = await session.get(Tenant, name)
    if row is None:
        raise tenant_not_found(name)
    return row


def tenant_not_found(name: TenantName) -> TenantNotFound:
    """Return the error for a tenant that does not exist."""
    return TenantNotFound(f"There is no tenant {name}: create it with darkroom tenant create {name}.")
