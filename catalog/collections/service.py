"""Collections: named groups of a tenant's images."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.base import now
from catalog.records.collection import Collection
from catalog.records.image import Image
from catalog.records.tenant_lock import lock_tenant
from catalog.records.uuid7 import new_uuid
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from sqlmodel.sql.expression import SelectOfScalar

MAX_COLLECTIONS = 10_000
"""Of one tenant."""


async def create_collection(
    session: AsyncSession, principal: Principal, origin: Origin, name: str, description: str = ""
) -> Collection:
    """Create a collection. Raise ResourceConflict if the name is taken, or beyond MAX_COLLECTIONS."""
    await lock_tenant(session, principal.tenant)
    await _check_name(session, principal.tenant, name)
    count = select(func.count()).select_from(Collection).where(Collection.tenant == principal.tenant)
    if (await session.scalars(count)).one() >= MAX_COLLECTIONS:
        raise ResourceConflict(f"The tenant has {MAX_COLLECTIONS} collections: delete some first.")
    row = Collection(
        id=new_uuid(), tenant=principal.tenant, name=name, description=description, created_by=principal.subject
    )
    session.add(row)
    await _flush(session, name)
    await record(session, principal, origin, "collection.created", ("collection", row.id), after=audited(row))
    return row


async def list_collections(
    session: AsyncSession, tenant: TenantName, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[Collection]:
    """Return a tenant's collections, the newest first, behind the position `after`."""
    query = select(Collection).where(Collection.tenant == tenant)
    if after is not None:
        query = query.where(tuple_(col(Collection.created_at), col(Collection.id)) < tuple_(*after))
    query = query.order_by(col(Collection.created_at).desc(), col(Collection.id).desc()).limit(limit)
    return (await session.scalars(query)).all()


async def find_collection(session: AsyncSession, tenant: TenantName, identifier: str) -> Collection:
    """Return one of a tenant's collections. Raise ResourceNotFound if there is none."""
    return _existing((await session.scalars(_one(tenant, identifier))).one_or_none())


async def lock_collection(session: AsyncSession, tenant: TenantName, identifier: str) -> Collection:
    """Return one of a tenant's collections, locked until the transaction ends. Raise ResourceNotFound."""
    query = _one(tenant, identifier).with_for_update()
    return _existing((await session.scalars(query)).one_or_none())


async def change_collection(  # noqa: PLR0913 - a collection's own fields
    session: AsyncSession, principal: Principal, origin: Origin, row: Collection, *, name: str, description: str
) -> None:
    """Change a locked collection. Raise ResourceConflict if the name is another one's."""
    before = audited(row)
    if name != row.name:
        await _check_name(session, principal.tenant, name)
    row.name, row.description = name, description
    if audited(row) == before:
        return
    row.version += 1
    row.updated_at = now()
    await _flush(session, name)
    subject = ("collection", row.id)
    await record(session, principal, origin, "collection.updated", subject, before=before, after=audited(row))


async def delete_collection(session: AsyncSession, principal: Principal, origin: Origin, row: Collection) -> None:
    """Delete a locked collection. Raise ResourceConflict, with the count, if it has images."""
    if (count := await count_images(session, principal.tenant, row.id)) > 0:
        images = "1 image" if count == 1 else f"{count} images"
        raise ResourceConflict(f"The collection has {images}: move them to another collection, or to none, first.")
    await record(session, principal, origin, "collection.deleted", ("collection", row.id), before=audited(row))
    await session.delete(row)
    await session.flush()


async def count_images(session: AsyncSession, tenant: TenantName, identifier: str) -> int:
    """Return how many images a collection has, those in the trash included."""
    query = select(func.count()).select_from(Image).where(Image.tenant == tenant, Image.collection == identifier)
    return (await session.scalars(query)).one()


def audited(row: Collection) -> dict[str, object]:
    """Return the values of a collection that the audit trail stores."""
    return {"name": row.name, "description": row.description}


def _one(tenant: TenantName, identifier: str) -> "SelectOfScalar[Collection]":
    return select(Collection).where(Collection.tenant == tenant, Collection.id == identifier)


def _existing(row: Collection | None) -> Collection:
    if row is None:
        raise ResourceNotFound("There is no such collection.")
    return row


async def _check_name(session: AsyncSession, tenant: TenantName, name: str) -> None:
    query = select(Collection.id).where(Collection.tenant == tenant, Collection.name == name)
    if (await session.scalars(query)).first() is not None:
        raise _taken(name)


async def _flush(session: AsyncSession, name: str) -> None:
    """Write the session. Raise ResourceConflict if another transaction has taken the name meanwhile."""
    try:
        await session.flush()
    except IntegrityError:
        raise _taken(name) from None


def _taken(name: str) -> ResourceConflict:
    return ResourceConflict(f"There is a collection {name!r} already: choose another name.")
