"""Reprocessing: the stored original is examined anew, and what people said stays."""

import json
import re

import pytest
from sqlmodel import col, update

from catalog.audit.service import REDACTED
from catalog.cli.exit_codes import Exit
from catalog.cli.settings import read_settings
from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules
from catalog.pipeline import commands
from catalog.pipeline.service import REPROCESSED, reprocess
from catalog.ports import Platform
from catalog.records.image import Image
from proxy.core.errors import NotFound
from proxy.settings import Settings
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import set_rules, upload
from tests.catalog.images.pictures import located, picture
from tests.catalog.pipeline.pictures import photograph
from tests.catalog.pipeline.work import events_of, image_of, jobs_of, run_jobs
from tests.catalog.samples import ACME, ZOO, add_images, principal_of

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
FORGOTTEN = {
    "phash": None, "phash_0": 5, "colors": [], "color": "#000000", "quality": None, "quality_score": None,
    "thumbhash": None, "width": 1, "failed_parts": ["hash", "optimized"],
}  # fmt: skip


async def forget(platform: Platform, identifier: str, **columns: object) -> None:
    """Write columns as an older version may have left them."""
    async with platform.database.writing() as session:
        await session.execute(update(Image).where(col(Image.id) == identifier).values(**columns))


async def again(platform: Platform, identifier: str, tenant: object = ACME) -> bool:
    """Reprocess an image."""
    principal = principal_of(Role.EDITOR, tenant)  # type: ignore[arg-type]
    return await reprocess(platform.database, platform.originals, platform.pixels, principal, COMMAND_LINE, identifier)


async def test_columns_are_renewed_and_the_pipeline_runs(client_of: ClientOf, platform: Platform) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    created = (await upload(client, photograph(), title="Chair", tags=["oak"])).json()
    await run_jobs(platform)
    place = f"/api/images/{created['id']}"
    before = (await client.get(place)).json()
    await forget(platform, created["id"], **FORGOTTEN)
    assert await again(platform, created["id"])
    [event] = await events_of(platform.database, REPROCESSED)
    changed = set(FORGOTTEN)
    assert event.after == {"changed": sorted(changed), "failed_parts": ["optimized"]}
    await run_jobs(platform)
    after = (await client.get(place)).json()
    moving = {"version", "updated_at"}
    assert {key: value for key, value in after.items() if key not in moving} == {
        key: value for key, value in before.items() if key not in moving
    }
    assert [job.state for job in await jobs_of(platform.database)] == ["succeeded"] * 2


async def test_without_a_difference_only_the_pipeline_runs(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    assert not await again(platform, image["id"])
    assert (await image_of(platform.database, image["id"])).version == 1
    assert len(await jobs_of(platform.database)) == 1, "a waiting job does the same work"


async def test_the_place_follows_the_tenants_present_rule(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), located())).json()
    assert (await image_of(platform.database, image["id"])).location is None
    await set_rules(platform.database, TenantRules(keep_location=True))
    assert await again(platform, image["id"])
    row = await image_of(platform.database, image["id"])
    assert row.location == {"latitude": 48.133333, "longitude": 11.566667}
    [event] = await events_of(platform.database, REPROCESSED)
    assert "48.1" not in json.dumps(event.after)
    assert REDACTED not in json.dumps(event.after)


async def test_images_that_cannot_be_reprocessed_are_refused(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), picture())).json()
    for identifier in (UNKNOWN, "x\0", "x" * 600):
        with pytest.raises(ResourceNotFound):
            await again(platform, identifier)
    with pytest.raises(ResourceNotFound):
        await again(platform, image["id"], ZOO)
    await forget(platform, image["id"], status="trashed")
    with pytest.raises(ResourceConflict, match="in the trash"):
        await again(platform, image["id"])
    [without_bytes] = await add_images(platform.database, 1)
    with pytest.raises(NotFound):
        await again(platform, without_bytes)
    assert await events_of(platform.database, REPROCESSED) == []


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands work on the test's installation."""
    monkeypatch.setenv("DARKROOM_HOME", f"{settings.home}")
    monkeypatch.setenv("DARKROOM_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DARKROOM_SECRET_KEYS", settings.secret_keys.get_secret_value())


@pytest.mark.usefixtures("command")
async def test_a_command_reprocesses_all_or_some(
    client_of: ClientOf, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    first, second = [(await upload(client, picture(level))).json()["id"] for level in (10, 200)]
    await forget(platform, second, phash=None)
    settings = read_settings()
    assert await commands._reprocess(settings, ACME, [], as_json=True) is Exit.FINE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"image": first, "changed": False}, {"image": second, "changed": True}]
    assert await commands._reprocess(settings, ACME, [UNKNOWN, first], as_json=False) is Exit.REFUSED
    shown = capsys.readouterr()
    assert shown.out == f"{first}  as before\n"
    assert re.search("There is no image", shown.err)
