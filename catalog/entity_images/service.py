"""Use cases of an entity's images that concern both the entity and the image's own record.

Whoever changes a link locks the image first and the entity second, as uploads do; so they cannot wait for each other in
a circle.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.entities.service import EntityRef, images_of, link_image, unlink_image
from catalog.images.service import check_not_trashed, check_ownership, touch
from catalog.records.entity import Entity, EntityLink
from catalog.records.image import Image
from proxy.core.identifiers import TenantName


async def list_entity_images(
    session: AsyncSession, tenant: TenantName, entity: EntityRef, limit: int, after: int | None = None
) -> Sequence[tuple[Image, int]]:
    """Return an entity's images in order with their positions, behind the position `after`."""
    query = (
        select(Image, EntityLink.position)
        .join(EntityLink, col(EntityLink.image) == col(Image.id))
        .where(EntityLink.tenant == tenant, EntityLink.type == entity.type, EntityLink.entity == entity.id)
        .order_by(col(EntityLink.position))
    )
    if after is not None:
        query = query.where(EntityLink.position > after)
    return [(image, position) for image, position in await session.execute(query.limit(limit))]


async def primary_of(session: AsyncSession, tenant: TenantName, entity: EntityRef) -> str | None:
    """Return the id of an entity's primary image; None if it has no images."""
    query = select(EntityLink.image).where(
        EntityLink.tenant == tenant,
        EntityLink.type == entity.type,
        EntityLink.entity == entity.id,
        col(EntityLink.is_primary),
    )
    return (await session.scalars(query)).one_or_none()


async def version_of(session: AsyncSession, tenant: TenantName, entity: EntityRef, *, lock: bool = False) -> int:
    """Return how often an entity's order was changed, 0 for an unknown entity; its row is locked if need be."""
    query = select(Entity).where(Entity.tenant == tenant, Entity.type == entity.type, Entity.id == entity.id)
    query = query.with_for_update() if lock else query
    row = (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()
    return 0 if row is None else row.version


async def link(  # noqa: PLR0913 - a link's own parts
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    image: Image,
    entity: EntityRef,
    *,
    position: int | None,
    primary: bool | None,
) -> None:
    """Link an image that the caller has locked, or move it. Raise NotPermitted or ResourceConflict."""
    check_ownership(principal, image)
    check_not_trashed(image)
    before = await images_of(session, principal.tenant, entity)
    after = await link_image(session, principal, origin, image.id, entity, position=position, primary=primary)
    if before != after:
        touch(image)
        await session.flush()


async def unlink(session: AsyncSession, principal: Principal, origin: Origin, image: Image, entity: EntityRef) -> None:
    """Unlink an image that the caller has locked. Raise NotPermitted, ResourceConflict, ResourceNotFound."""
    check_ownership(principal, image)
    check_not_trashed(image)
    await unlink_image(session, principal, origin, image.id, entity)
    touch(image)
    await session.flush()
