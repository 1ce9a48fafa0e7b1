"""A tenant's row, and one writer at a time for what belongs to the tenant."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.core.errors import TenantNotFound
from catalog.records.tables import Tenant
from proxy.core.identifiers import TenantName


async def lock_tenant(session: AsyncSession, name: TenantName) -> Tenant:
    """Give a tenant's row, ours alone until the transaction ends; TenantNotFound."""
    found = (await session.scalars(select(Tenant).where(Tenant.name == name).with_for_update())).one_or_none()
    if found is None:
        raise missing(name)
    return found


async def get_tenant(session: AsyncSession, name: TenantName) -> Tenant:
    """Give a tenant's row to read; TenantNotFound."""
    found = await session.get(Tenant, name)
    if found is None:
        raise missing(name)
    return found


def missing(name: TenantName) -> TenantNotFound:
    """Give the refusal for a tenant that is not there."""
    return TenantNotFound(f"There is no tenant {name}: make it with darkroom tenant create {name}.")
