"""A deletion for good is killed at each of its points, and is carried out to its end by whoever comes next."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.core.roles import Role
from catalog.jobs.sweep import sweep_expired
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.derivative import Derivative
from catalog.records.image import Image, ImageVersion
from catalog.records.original import Original
from proxy.settings import Settings
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import rows_of, upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME
from tests.catalog.trash.killed import POINTS
from tests.catalog.trash.test_routes import new_image
from tests.catalog.trash.work import gone, is_refused, is_stored, jobs_of, picture_of, run_due
from tests.patience import until
from tests.program.server import SECRET_KEY

ROOT = Path(__file__).parents[3]


async def run_until_killed(settings: Settings, point: str) -> None:
    """Run a worker that kills itself at a point."""
    environment = {
        **os.environ,
        "DARKROOM_HOME": f"{settings.home}",
        "DARKROOM_DATABASE_URL": settings.database_url,
        "DARKROOM_SECRET_KEYS": SECRET_KEY,
    }
    command = (sys.executable, "-m", "tests.catalog.trash.killed", point)
    process = await create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()


async def take_from_the_dead(database: Database) -> None:
    """Do what the sweep does when the lease of the killed worker has ended."""
    async with asyncio.timeout(20), database.writing() as session:
        assert (await sweep_expired(session, pause=0, at=now() + timedelta(minutes=1))).queued == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_deletion_that_is_killed_is_carried_out(
    client_of: ClientOf, platform: Platform, database: Database, settings: Settings, point: str
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    original = image["original"]
    answer = await picture_of(platform, image["url"])
    assert answer.status == 200
    await until(lambda: any(settings.home.rglob(f"derivatives/**/{original}/*")))
    assert (await gone(client, place, permanent="true")).status_code == 202
    await run_until_killed(settings, point)
    assert await is_refused(database, original), "whatever was done, delivery refuses"
    assert (await picture_of(platform, image["url"])).status == 404
    has_rows = bool(await rows_of(database, Original))
    assert has_rows == point.endswith("delete"), "rows go with the bytes, in one commit"

    await take_from_the_dead(database)
    await run_due(platform, now() + timedelta(minutes=3))
    assert {job.state for job in await jobs_of(database, "images.delete")} == {"succeeded"}
    assert not await is_stored(platform.originals, original)
    assert not any(path.is_file() for path in settings.home.rglob(f"derivatives/**/{original}/*"))
    for model in (Image, ImageVersion, Original, Derivative):
        assert await rows_of(database, model) == [], model


@pytest.mark.parametrize("point", POINTS)
async def test_an_upload_after_a_kill_is_kept(
    client_of: ClientOf, platform: Platform, database: Database, settings: Settings, point: str
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    assert (await gone(client, place, permanent="true")).status_code == 202
    await run_until_killed(settings, point)
    answer = await upload(client, picture(100))
    assert answer.status_code == 201, answer.text
    await take_from_the_dead(database)
    await run_due(platform, now() + timedelta(minutes=3))
    assert await is_stored(platform.originals, image["original"])
    assert (await picture_of(platform, answer.json()["url"])).status == 200
    assert [row.tenant for row in await rows_of(database, Image)] == [ACME]
