"""Entities: order and one primary image, at every commit and under concurrency."""

import asyncio
import random

import pytest
from sqlmodel import col, select

from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.entity_order import EntityOrder
from catalog.entities.service import (
    EntityRef,
    entities_of,
    images_of,
    link_image,
    reorder_images,
    set_primary,
    unlink_everywhere,
    unlink_image,
)
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.entity import EntityLink
from tests.catalog.samples import ACME, ORIGIN, ZOO, add_images, add_tenants, principal_of

CHAIR = EntityRef("product", "42")
WRITERS = 50


@pytest.fixture
async def images(database: Database) -> list[str]:
    await add_tenants(database)
    return await add_images(database, 4)


async def order_of(database: Database, entity: EntityRef = CHAIR) -> EntityOrder:
    async with database.reading() as session:
        return await images_of(session, ACME, entity)


async def link(database: Database, image: str, entity: EntityRef = CHAIR, **how: int | bool | None) -> EntityOrder:
    async with database.writing() as session:
        return await link_image(session, principal_of(), ORIGIN, image, entity, **how)  # type: ignore[arg-type]


async def test_images_are_linked_in_order_and_the_first_is_primary(database: Database, images: list[str]) -> None:
    a, b, c, _ = images
    for image in (a, b):
        await link(database, image)
    assert await link(database, c, position=0, primary=True) == EntityOrder((c, a, b), c)
    assert await order_of(database) == EntityOrder((c, a, b), c)
    await link(database, a, EntityRef("article", "1"))
    async with database.reading() as session:
        assert await entities_of(session, ACME, a) == [EntityRef("article", "1"), CHAIR]


async def test_unlinking_the_primary_makes_the_next_one_primary(database: Database, images: list[str]) -> None:
    for image in images:
        await link(database, image)
    async with database.writing() as session:
        await unlink_image(session, principal_of(), ORIGIN, images[0], CHAIR)
    assert await order_of(database) == EntityOrder(tuple(images[1:]), images[1])
    async with database.writing() as session:
        with pytest.raises(ResourceNotFound):
            await unlink_image(session, principal_of(), ORIGIN, images[0], CHAIR)
    async with database.writing() as session:
        await unlink_everywhere(session, principal_of(), ORIGIN, images[1])
    assert (await order_of(database)).primary == images[2]


async def test_an_order_lists_exactly_the_linked_images(database: Database, images: list[str]) -> None:
    for image in images[:3]:
        await link(database, image)
    turned = list(reversed(images[:3]))
    async with database.writing() as session:
        await reorder_images(session, principal_of(), ORIGIN, CHAIR, turned)
    assert await order_of(database) == EntityOrder(tuple(turned), images[0])
    for wrong in (images, images[:2], [images[0]] * 3):
        async with database.writing() as session:
            with pytest.raises(ResourceConflict):
                await reorder_images(session, principal_of(), ORIGIN, CHAIR, wrong)
    async with database.writing() as session:
        await set_primary(session, principal_of(), ORIGIN, CHAIR, images[2])
    assert (await order_of(database)).primary == images[2]


async def test_images_of_other_tenants_cannot_be_linked(database: Database, images: list[str]) -> None:
    [foreign] = await add_images(database, 1, ZOO)
    for image in (foreign, "nothing"):
        async with database.writing() as session:
            with pytest.raises(ResourceNotFound):
                await link_image(session, principal_of(), ORIGIN, image, CHAIR)
    assert await order_of(database) == EntityOrder()


async def test_every_change_has_its_audit_event_and_no_change_has_none(database: Database, images: list[str]) -> None:
    await link(database, images[0])
    await link(database, images[0])
    async with database.reading() as session:
        events = list(await session.scalars(select(AuditEvent).order_by(col(AuditEvent.id))))
    assert [event.action for event in events] == ["entity.linked"]
    assert events[0].after == {"images": [images[0]], "primary": images[0]}
    assert events[0].origin["address"] == "203.0.113.7"


async def test_fifty_writers_leave_exactly_one_primary_at_every_commit(database: Database, images: list[str]) -> None:
    """Each writer links, moves, unlinks and chooses; a reader looks at every moment."""
    chance = random.Random(7)
    done = False

    async def write(number: int) -> None:
        image = images[number % len(images)]
        verb = chance.choice(["link", "primary", "unlink"])
        async with database.writing() as session:
            if verb == "unlink":
                if image in (await images_of(session, ACME, CHAIR)).images:
                    await asyncio.sleep(0)
                    try:
                        await unlink_image(session, principal_of(), ORIGIN, image, CHAIR)
                    except ResourceNotFound:
                        return
            else:
                await link_image(session, principal_of(), ORIGIN, image, CHAIR, position=0, primary=verb == "primary")

    async def watch() -> int:
        looks = 0
        while not done:
            async with database.reading() as session:
                rows = list(await session.scalars(select(EntityLink).where(EntityLink.tenant == ACME)))
            assert sum(row.is_primary for row in rows) == (1 if rows else 0)
            looks += 1
            await asyncio.sleep(0)
        return looks

    watcher = asyncio.create_task(watch())
    gate = asyncio.Semaphore(8)

    async def bounded(number: int) -> None:
        async with gate:
            await write(number)

    await asyncio.gather(*(bounded(number) for number in range(WRITERS)))
    done = True
    assert await watcher > 1
    order = await order_of(database)
    async with database.reading() as session:
        positions = [
            row.position for row in await session.scalars(select(EntityLink).order_by(col(EntityLink.position)))
        ]
    assert positions == list(range(len(order.images)))
