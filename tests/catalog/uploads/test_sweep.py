"""The sweep: expired uploads go with their bytes, and bytes without an upload; what is under way stays."""

import asyncio
from datetime import timedelta

from sqlmodel import select

from catalog.core.roles import Role
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.job import Job
from catalog.records.upload_session import UploadSession
from catalog.uploads.tasks import GRACE, SWEEP
from catalog.worker import create_engine, handlers_of, running
from proxy.core.identifiers import UploadId
from proxy.settings import Settings
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME
from tests.catalog.uploads.samples import change_session, rows_of, stored_uploads
from tests.catalog.uploads.test_tus import created

PATIENCE_S = 60.0
ORPHAN = UploadId("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071")


async def test_what_has_expired_is_deleted_and_what_is_under_way_stays(
    client_of: ClientOf, database: Database, platform: Platform, settings: Settings
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    places = [await created(client, len(body), body[:100]) for _ in range(3)]
    expired, fresh, grace = (UploadId(place.rpartition("/")[2]) for place in places)
    done = (await created(client, len(body), body)).rpartition("/")[2]
    assert await platform.upload_parts.append(ACME, ORPHAN, 0, b"x")
    for identifier in (expired, done):
        await change_session(database, identifier, expires_at=now() - GRACE - timedelta(minutes=1))
    await change_session(database, grace, expires_at=now() - timedelta(minutes=1))

    async with running(create_engine(settings, database, handlers_of(platform))), asyncio.timeout(PATIENCE_S):
        while not (results := await results_of(database)):  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.05)

    assert results == [{"expired": 2, "orphans": 1}]
    assert {row.id for row in await rows_of(database, UploadSession)} == {fresh, grace}
    assert sorted(await stored_uploads(platform)) == sorted([fresh, grace])


async def results_of(database: Database) -> list[object]:
    """Return the results of sweeps that have ended."""
    async with database.reading() as session:
        jobs = await session.scalars(select(Job).where(Job.kind == SWEEP, Job.state == "succeeded"))
        return [job.result for job in jobs]
