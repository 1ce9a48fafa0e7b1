"""The trash is emptied after the tenant's days; what a cut deletion has left over is found."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from catalog.core.roles import Role
from catalog.core.tenant_rules import Retention, TenantRules
from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.records.original import Original
from catalog.records.refused_original import RefusedOriginal
from catalog.trash import expiry
from catalog.trash.expiry import start_expiry
from catalog.worker import SCHEDULES
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import rows_of, set_rules
from tests.catalog.samples import ACME, add_images
from tests.catalog.trash.test_routes import new_image
from tests.catalog.trash.work import gone, is_refused, is_stored, jobs_of, run_due


async def trashed(database: Database, images: list[str], days: int) -> None:
    """Put images into the trash as if that had been days ago."""
    async with database.writing() as session:
        values = {"status": "trashed", "trashed_at": now() - timedelta(days=days)}
        await session.execute(update(Image).where(col(Image.id).in_(images)).values(**values))


async def run_expiry(platform: Platform) -> None:
    async with platform.database.writing() as session:
        await start_expiry(session)
    await run_due(platform)


async def left(database: Database) -> set[str]:
    return {row.id for row in await rows_of(database, Image)}


async def test_what_is_in_the_trash_for_longer_than_the_tenant_keeps_it_is_deleted(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    place, image = await new_image(await client_of(Role.ADMIN))
    ready, fresh, old = await add_images(database, 3)
    await gone(await client_of(Role.ADMIN), place)
    await trashed(database, [image["id"], old], 31)
    await trashed(database, [fresh], 29)
    await run_expiry(platform)
    assert await left(database) == {ready, fresh}
    assert not await is_stored(platform.originals, image["original"])
    assert await is_refused(database, image["original"])
    events = [row for row in await rows_of(database, AuditEvent) if row.action == "image.deleted"]
    assert {(row.actor, row.subject_id) for row in events} == {("system", image["id"]), ("system", old)}
    [job] = await jobs_of(database, "trash.expire")
    assert (job.result, job.tenant) == ({"images": 2, "leftovers": 0}, ACME)


async def test_a_tenant_may_keep_its_trash_for_ever_or_not_at_all(platform: Platform, database: Database) -> None:
    images = await add_images(database, 2)
    await trashed(database, images, 5_000)
    await set_rules(database, TenantRules(retention=Retention(trash_days=None)))
    await run_expiry(platform)
    assert await left(database) == set(images)


async def test_a_run_is_bounded_and_the_next_one_goes_on(
    platform: Platform, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "MOST_IMAGES", 4)
    monkeypatch.setattr(expiry, "_PAGE", 2)
    await trashed(database, await add_images(database, 7), 40)
    await run_expiry(platform)
    assert len(await left(database)) == 3
    await run_expiry(platform)
    assert await left(database) == set()


async def test_what_a_cut_deletion_has_left_over_is_deleted(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    _, kept = await new_image(client, 120)
    await gone(client, place, permanent="true")
    async with database.writing() as session:
        await session.execute(delete(Job).where(col(Job.kind) == "images.delete"))
    await run_expiry(platform)
    assert not await is_stored(platform.originals, image["original"])
    assert await is_stored(platform.originals, kept["original"])
    assert [row.sha256 for row in await rows_of(database, Original)] == [kept["original"]]


async def test_refusals_that_were_lifted_long_ago_are_forgotten(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    places = [(await new_image(client, level))[0] for level in (100, 120, 140)]
    for place in places:
        await gone(client, place)
    for place in places[:2]:
        await client.post(f"{place}/restore")
    originals = [(await client.get(place)).json()["original"] for place in places]
    async with database.writing() as session:
        long_ago = update(RefusedOriginal).where(col(RefusedOriginal.original) != originals[1])
        await session.execute(long_ago.values(changed_at=now() - timedelta(days=2)))
        await session.execute(delete(Job))
    await run_expiry(platform)
    assert {row.original for row in await rows_of(database, RefusedOriginal)} == set(originals[1:])


async def test_tenants_without_trash_get_no_job_and_the_schedule_is_known(
    database: Database, platform: Platform
) -> None:
    async with database.writing() as session:
        await start_expiry(session)
    assert await rows_of(database, Job) == []
    assert "trash.expire" in [schedule.name for schedule in SCHEDULES]
