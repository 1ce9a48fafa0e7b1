"""Deletion for good against an upload of the same bytes: what is acknowledged is stored, whoever comes first."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.api.context import ApiContext
from catalog.core.roles import Role
from catalog.core.upload_rules import Candidate
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.original import Original
from catalog.trash import deletion
from catalog.uploads.intake import Intake
from catalog.uploads.recording import UploadFields, record_upload
from catalog.uploads.service import UploadService, read_file
from proxy.core.errors import Unavailable
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.formats import ALWAYS_READ
from proxy.delivery.staging import StagedFile
from tests.catalog.api.fixtures import LIMITS, ClientOf
from tests.catalog.api.test_uploads import rows_of, upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ORIGIN, principal_of
from tests.catalog.trash.test_routes import new_image
from tests.catalog.trash.work import gone, is_refused, is_stored, run_due
from tests.delivery.fakes import Door


class SlowOriginals:
    """Originals whose deletion passes a door, before and after the bytes are gone."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - the port and whatever else it has
        self._inner = inner
        self.before, self.after = Door(), Door()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is
        return getattr(self._inner, name)

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        await self.before.pass_through()
        await self._inner.delete(tenant, digest)
        await self.after.pass_through()


async def deleted_for_good(client: httpx.AsyncClient) -> str:
    """Upload an image and ask for its deletion; return its original."""
    place, image = await new_image(client)
    assert (await gone(client, place, permanent="true")).status_code == 202
    return str(image["original"])


@pytest.mark.parametrize("door", ["before", "after"])
async def test_an_upload_during_the_deletion_waits_and_is_stored(
    client_of: ClientOf, platform: Platform, database: Database, door: str
) -> None:
    client = await client_of(Role.ADMIN)
    original = await deleted_for_good(client)
    slow = SlowOriginals(platform.originals)
    at: Door = getattr(slow, door)
    at.close()
    working = asyncio.create_task(run_due(replace(platform, originals=slow)))
    async with asyncio.timeout(20):
        while not at.inside:  # noqa: ASYNC110 - the job sets no Event
            await asyncio.sleep(0.01)
    uploading = asyncio.create_task(upload(client, picture(100)))
    await asyncio.sleep(0.5)
    assert not uploading.done()
    at.open()
    answer = await uploading
    await working
    assert answer.status_code == 201, answer.text
    assert await is_stored(platform.originals, original)
    assert not await is_refused(database, original)
    assert [row.sha256 for row in await rows_of(database, Original)] == [original]


async def test_bytes_that_are_deleted_between_storing_and_recording_are_stored_again(
    client_of: ClientOf, context: ApiContext, platform: Platform, database: Database
) -> None:
    original = await deleted_for_good(await client_of(Role.ADMIN))
    intake = Intake(database, platform.originals, platform.pixels, LIMITS, context.formats, None)
    rules = await intake.rules_of(ACME)
    with StagedFile(LIMITS.source_bytes) as staged:
        await staged.append(picture(100) + b"what follows the end is cut off")
        file = await intake.accept(ACME, rules, staged, Candidate("a.jpg", "image/jpeg", staged.size_bytes), None)
        await run_due(platform)
        assert not await is_stored(platform.originals, original)
        async with database.writing() as session:
            recorded = await record_upload(session, principal_of(), ORIGIN, file, UploadFields())
    assert (recorded.created, recorded.image.original) == (True, original)
    assert await is_stored(platform.originals, original)
    await platform.originals.delete(ACME, Digest(original))
    with pytest.raises(Unavailable, match="Upload the file again"):
        await file.ensure_stored()


async def test_an_upload_that_comes_first_keeps_the_bytes(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    original = await deleted_for_good(client)
    assert (await upload(client, picture(100))).status_code == 201
    await run_due(platform)
    assert await is_stored(platform.originals, original)
    assert len(await rows_of(database, Image)) == 1


async def test_an_upload_by_the_command_keeps_the_bytes_too(
    client_of: ClientOf, platform: Platform, database: Database, tmp_path: Path
) -> None:
    original = await deleted_for_good(await client_of(Role.ADMIN))
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(100))
    service = UploadService(Intake(database, platform.originals, platform.pixels, LIMITS, ALWAYS_READ, None))
    await service.upload(principal_of(), read_file(path))
    assert not await is_refused(database, original)
    await run_due(platform)
    assert await is_stored(platform.originals, original)


async def test_deletions_and_uploads_in_any_order_lose_nothing(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    for round_ in range(6):
        original = await deleted_for_good(client)
        slow = SlowOriginals(platform.originals)
        working = asyncio.create_task(run_due(replace(platform, originals=slow)))
        await asyncio.sleep(0.004 * round_)
        answer, _ = await asyncio.gather(upload(client, picture(100)), working)
        assert answer.status_code == 201, answer.text
        await run_due(platform)
        assert await is_stored(platform.originals, original)
        assert not await is_refused(database, original)
        assert (await gone(client, answer.headers["location"], permanent="true")).status_code == 202
        await run_due(platform)
        assert not await is_stored(platform.originals, original)


async def test_a_store_that_hangs_holds_the_lock_no_longer_than_allowed(
    client_of: ClientOf, platform: Platform, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt fails, nothing is lost, and the next one deletes."""
    monkeypatch.setattr(deletion, "DELETE_S", 0.05)
    monkeypatch.setattr(deletion, "SETTLE_S", 0.05)
    original = await deleted_for_good(await client_of(Role.ADMIN))
    slow = SlowOriginals(platform.originals)
    slow.before.close()
    attempts = await run_due(replace(platform, originals=slow))
    assert attempts[0] == "images.delete"
    assert [row.sha256 for row in await rows_of(database, Original)] == [original]
    slow.before.open()
    await asyncio.sleep(0.2)
    assert "images.delete" in await run_due(platform)
    assert not await is_stored(platform.originals, original)
    assert await rows_of(database, Original) == []
