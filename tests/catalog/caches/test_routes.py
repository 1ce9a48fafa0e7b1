"""Purges over the API: shared tiers, memory, and epochs of the cache."""

from typing import Any

import pytest

from catalog.core.roles import Role
from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.tenant import Tenant
from proxy.app import DeliveryApp
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import rows_of
from tests.catalog.samples import ACME, ZOO
from tests.catalog.trash.test_routes import new_image
from tests.catalog.trash.work import is_refused, picture_of, run_due
from tests.patience import until

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


def tier(headers: dict[str, str]) -> str:
    return headers["server-timing"].split('"')[1]


async def test_an_image_is_purged_from_every_tier(client_of: ClientOf, platform: Platform, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    (_, image), (_, other) = await new_image(admin), await new_image(admin, 120)
    for url in (image["url"], other["url"]):
        assert tier((await picture_of(platform, url)).headers) == "render"
    app = platform.renderer
    assert isinstance(app, DeliveryApp)
    await until(lambda: not app._cache.pending_bytes)
    answer = await admin.post("/api/purge", json={"image": image["id"]})
    assert (answer.status_code, answer.json()["kind"], answer.json()["image"]) == (202, "caches.purge", image["id"])
    await run_due(platform)
    assert not await is_refused(database, image["original"])
    assert tier((await picture_of(platform, image["url"])).headers) == "render"
    assert tier((await picture_of(platform, other["url"])).headers) in ("memory", "files")
    assert "image.purged" in [row.action for row in await rows_of(database, AuditEvent)]


async def test_nodes_drop_a_purged_image_from_their_memory(client_of: ClientOf, platform: Platform) -> None:
    """This worker purges no memory but its own: the node learns of the purge from the records."""
    admin = await client_of(Role.ADMIN)
    _, image = await new_image(admin)
    await picture_of(platform, image["url"])
    app = platform.renderer
    assert isinstance(app, DeliveryApp)
    forgotten: list[Any] = []

    async def forget(originals: Any) -> None:  # noqa: ANN401 - names of originals
        forgotten.extend(originals)

    app.refused_originals._forget = forget
    await admin.post("/api/purge", json={"image": image["id"]})
    await run_due(platform)
    await picture_of(platform, image["url"])
    assert forgotten == [(ACME, image["original"])]


@pytest.mark.parametrize("body", [{"preset": "preview"}, {"all": True}])
async def test_a_preset_and_everything_begin_an_epoch(
    client_of: ClientOf, platform: Platform, database: Database, body: dict[str, Any]
) -> None:
    admin = await client_of(Role.ADMIN)
    _, image = await new_image(admin)
    await run_due(platform)  # the pipeline renders as well
    await picture_of(platform, image["url"])
    folder = platform.settings.home / "derivatives"
    await until(lambda: any(path.is_file() for path in folder.rglob(f"{image['original']}/*")))
    answer = await admin.post("/api/purge", json=body)
    assert answer.status_code == 202, answer.text
    epochs = {row.name: row.cache_epoch for row in await rows_of(database, Tenant)}
    assert epochs == {ACME: 1, ZOO: 0}
    await run_due(platform)
    assert not any(path.is_file() for path in folder.rglob(f"{image['original']}/*"))


async def test_only_admins_purge_what_is_there(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for body in ({}, {"all": False}, {"all": True, "preset": "preview"}, {"images": "x"}, {"image": 5}):
        assert_problem(await admin.post("/api/purge", json=body), 422, "validation")
    for body in ({"image": UNKNOWN}, {"image": "x"}, {"preset": "unknown"}):
        assert_problem(await admin.post("/api/purge", json=body), 404, "not-found")
    _, image = await new_image(admin)
    foreign = await client_of(Role.ADMIN, ZOO)
    assert_problem(await foreign.post("/api/purge", json={"image": image["id"]}), 404, "not-found")
    editor = await client_of(Role.EDITOR)
    assert_problem(await editor.post("/api/purge", json={"all": True}), 403, "not-permitted")
