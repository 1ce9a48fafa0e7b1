"""Entities: linking images to things of the tenant's own world, in an order with exactly one primary image.

Every change locks the entity's row first, reads the whole order, computes the next one by the pure rules of
`catalog.core.entity_order`, and writes the difference. So the invariant holds at every commit, however many write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ScalarResult, delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core import entity_order
from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.entity_order import EntityOrder, OrderConflict
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.entity import Entity, EntityLink
from catalog.records.image import Image
from catalog.records.render_records import insert
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from sqlmodel.sql.expression import SelectOfScalar


@dataclass(frozen=True, slots=True)
class EntityRef:
    """Name of an entity: its type and its id in the tenant's world."""

    type: str
    id: str


async def link_image(  # noqa: PLR0913 - a link's own parts
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    image: str,
    entity: EntityRef,
    *,
    position: int | None = None,
    primary: bool | None = None,
) -> EntityOrder:
    """Link an image, or move it if it is linked already; return the entity's order. Raise ResourceNotFound."""
    await _check_image(session, principal.tenant, image)
    before = await _lock(session, principal.tenant, entity)
    try:
        after = entity_order.link(before, image, position, primary=primary)
    except OrderConflict as error:
        raise ResourceConflict(str(error)) from None
    await _write(session, principal.tenant, entity, before, after)
    await _audit(session, principal, origin, "entity.linked", entity, before, after)
    return after


async def unlink_image(
    session: AsyncSession, principal: Principal, origin: Origin, image: str, entity: EntityRef
) -> EntityOrder:
    """Unlink an image; the next in order becomes primary where it was. Raise ResourceNotFound if it is not linked."""
    before = await _lock(session, principal.tenant, entity)
    if image not in before.images:
        raise ResourceNotFound("The image is not linked to this entity.")
    after = entity_order.unlink(before, image)
    await _write(session, principal.tenant, entity, before, after)
    await _audit(session, principal, origin, "entity.unlinked", entity, before, after)
    return after


async def unlink_everywhere(session: AsyncSession, principal: Principal, origin: Origin, image: str) -> None:
    """Unlink an image from all entities, in one order of locks."""
    for entity in await entities_of(session, principal.tenant, image):
        await unlink_image(session, principal, origin, image, entity)


async def reorder_images(
    session: AsyncSession, principal: Principal, origin: Origin, entity: EntityRef, images: Sequence[str]
) -> EntityOrder:
    """Order an entity's images as listed. Raise ResourceConflict unless exactly its images are listed."""
    before = await _lock(session, principal.tenant, entity)
    try:
        after = entity_order.reorder(before, tuple(images))
    except OrderConflict as error:
        raise ResourceConflict(str(error)) from None
    await _write(session, principal.tenant, entity, before, after)
    await _audit(session, principal, origin, "entity.reordered", entity, before, after)
    return after


async def set_primary(
    session: AsyncSession, principal: Principal, origin: Origin, entity: EntityRef, image: str
) -> EntityOrder:
    """Make a linked image the primary one. Raise ResourceConflict if it is not linked."""
    before = await _lock(session, principal.tenant, entity)
    try:
        after = entity_order.make_primary(before, image)
    except OrderConflict as error:
        raise ResourceConflict(str(error)) from None
    await _write(session, principal.tenant, entity, before, after)
    await _audit(session, principal, origin, "entity.primary-changed", entity, before, after)
    return after


async def images_of(session: AsyncSession, tenant: TenantName, entity: EntityRef) -> EntityOrder:
    """Return an entity's images in order; an unknown entity has none."""
    return _order(await session.scalars(_links(tenant, entity)))


async def entities_of(session: AsyncSession, tenant: TenantName, image: str) -> list[EntityRef]:
    """Return the entities that use an image, sorted by name: the order in which they are locked."""
    query = (
        select(EntityLink)
        .where(EntityLink.tenant == tenant, EntityLink.image == image)
        .order_by(col(EntityLink.type), col(EntityLink.entity))
    )
    return [EntityRef(row.type, row.entity) for row in await session.scalars(query)]


async def _check_image(session: AsyncSession, tenant: TenantName, image: str) -> None:
    # locked against the trash: an image goes there when no entity uses it
    row = await session.get(Image, image, with_for_update={"read": True})
    if row is None or row.tenant != tenant:
        raise ResourceNotFound("There is no such image.")
    if row.status == ImageStatus.TRASHED.value:
        raise ResourceConflict("The image is in the trash: restore it first.")


async def _lock(session: AsyncSession, tenant: TenantName, entity: EntityRef) -> EntityOrder:
    """Create the entity's row if need be, lock it, and return its order."""
    new = Entity(tenant=tenant, type=entity.type, id=entity.id).model_dump()
    await session.execute(insert(session, Entity).values(new).on_conflict_do_nothing())
    locked = (
        update(Entity)
        .where(col(Entity.tenant) == tenant, col(Entity.type) == entity.type, col(Entity.id) == entity.id)
        .values(version=Entity.version + 1)
    )
    await session.execute(locked)
    return _order(await session.scalars(_links(tenant, entity)))


async def _write(
    session: AsyncSession, tenant: TenantName, entity: EntityRef, before: EntityOrder, after: EntityOrder
) -> None:
    """Write the difference of two orders; the old primary is unset before the new one is set."""
    mine = (col(EntityLink.tenant) == tenant, col(EntityLink.type) == entity.type, col(EntityLink.entity) == entity.id)
    gone = set(before.images) - set(after.images)
    if gone:
        await session.execute(delete(EntityLink).where(*mine, col(EntityLink.image).in_(gone)))
    if before.primary != after.primary and before.primary is not None:
        await session.execute(update(EntityLink).where(*mine, col(EntityLink.is_primary)).values(is_primary=False))
    places = {image: position for position, image in enumerate(before.images)}
    for position, image in enumerate(after.images):
        if image not in places:
            session.add(
                EntityLink(
                    tenant=tenant, type=entity.type, entity=entity.id, image=image, position=position, is_primary=False
                )
            )
        elif places[image] != position:
            moved = update(EntityLink).where(*mine, col(EntityLink.image) == image).values(position=position)
            await session.execute(moved)
    await session.flush()
    if before.primary != after.primary and after.primary is not None:
        primary = update(EntityLink).where(*mine, col(EntityLink.image) == after.primary).values(is_primary=True)
        await session.execute(primary)


def _links(tenant: TenantName, entity: EntityRef) -> "SelectOfScalar[EntityLink]":
    return (
        select(EntityLink)
        .where(EntityLink.tenant == tenant, EntityLink.type == entity.type, EntityLink.entity == entity.id)
        .order_by(col(EntityLink.position))
    )


def _order(links: "ScalarResult[EntityLink]") -> EntityOrder:
    rows = list(links)
    primary = next((row.image for row in rows if row.is_primary), None)
    return EntityOrder(tuple(row.image for row in rows), primary)


async def _audit(  # noqa: PLR0913, PLR0917 - an event's own parts
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    action: str,
    entity: EntityRef,
    before: EntityOrder,
    after: EntityOrder,
) -> None:
    if before == after:
        return
    await record(
        session,
        principal,
        origin,
        action,
        ("entity", f"{entity.type}/{entity.id}"),
        before={"images": list(before.images), "primary": before.primary},
        after={"images": list(after.images), "primary": after.primary},
    )
