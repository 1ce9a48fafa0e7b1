"""Trash, restore and deletion for good over the API, with delivery beside it, on both databases."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from catalog.core.roles import Role, Scope
from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.derivative import Derivative
from catalog.records.entity import EntityLink
from catalog.records.image import Image, ImageTag, ImageVersion
from catalog.records.original import Original
from catalog.records.watermark import Watermark
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import rows_of, upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO
from tests.catalog.trash.work import gone, is_refused, is_stored, jobs_of, picture_of, run_due
from tests.patience import until


async def new_image(client: httpx.AsyncClient, level: int = 100, **fields: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - what a form may hold
    answer = await upload(client, picture(level), **fields)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"], answer.json()


async def actions(database: Database) -> list[str]:
    async with database.reading() as session:
        events = await session.scalars(select(AuditEvent).order_by(col(AuditEvent.at), col(AuditEvent.id)))
        return [event.action for event in events]


async def test_an_image_goes_into_the_trash_and_comes_back(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    place, image = await new_image(client)
    url = image["url"]
    answer = await picture_of(platform, url)
    assert answer.status == 200
    etag = (b"if-none-match", answer.headers["etag"].encode())
    assert (await picture_of(platform, url, "GET", etag)).status == 304

    assert (await gone(client, place)).status_code == 204
    for method, fields in (("GET", ()), ("HEAD", ()), ("GET", (etag,))):
        refused = await picture_of(platform, url, method, *fields)
        assert (refused.status, refused.headers["cache-control"]) == (404, "public, max-age=2")
    assert (await gone(client, place)).status_code == 204, "once more changes nothing"
    trashed = (await client.get(place)).json()
    assert (trashed["status"], trashed["version"]) == ("trashed", 2)
    assert trashed["trashed_at"] is not None
    assert (await client.get("/api/images")).json()["items"] == []
    listed = (await client.get("/api/images?q=status:trashed")).json()["items"]
    assert [item["id"] for item in listed] == [image["id"]]
    assert (await upload(client, picture(100))).json()["status"] == "trashed"
    assert await is_refused(database, image["original"]), "uploading it again does not restore it"

    restored = await client.post(f"{place}/restore")
    assert (restored.status_code, restored.json()["status"], restored.json()["trashed_at"]) == (200, "ready", None)
    assert restored.headers["etag"] == (await client.get(place)).headers["etag"]
    assert (await picture_of(platform, url)).status == 200
    assert (await client.post(f"{place}/restore")).json()["version"] == 3
    assert await actions(database) == ["token.created", "image.created", "image.trashed", "image.restored"]


async def test_the_shared_tiers_are_purged_and_once_more_later(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    place, image = await new_image(client)
    folders = platform.settings.home / "derivatives"
    assert (await picture_of(platform, image["url"])).status == 200
    await until(lambda: any(path.is_file() for path in folders.rglob(f"{image['original']}/*")))
    await gone(client, place)
    assert await run_due(platform) == ["caches.purge"]
    assert not any(path.is_file() for path in folders.rglob(f"{image['original']}/*"))
    first, again = await jobs_of(database, "caches.purge")
    assert (first.state, first.result, first.image) == ("succeeded", {"derivatives": 1}, image["id"])
    assert again.run_at > now() + timedelta(seconds=30)
    assert await run_due(platform, now() + timedelta(seconds=70)) == ["caches.purge"]
    assert len(await jobs_of(database, "caches.purge")) == 2


async def test_an_image_in_use_is_kept_unless_it_is_forced(client_of: ClientOf, database: Database) -> None:
    client, admin = await client_of(Role.CONTRIBUTOR), await client_of(Role.ADMIN)
    entity: dict[str, Any] = {"entity_type": "product", "entity_id": "42"}
    place, image = await new_image(client, **entity)
    _, second = await new_image(client, 120, **entity)
    for query in ({}, {"permanent": "true"}):
        answer = await gone(admin, place, **query)
        assert_problem(answer, 409, "image-in-use")
        assert answer.json()["entities"] == [{"type": "product", "id": "42"}]
        assert answer.json()["entities_total"] == 1
    assert (await gone(client, place, force="true")).status_code == 204
    [link] = await rows_of(database, EntityLink)
    assert (link.image, link.position, link.is_primary) == (second["id"], 0, True)
    assert (await client.get(place)).json()["entities"] == []
    refused = await upload(client, picture(100), **entity)
    assert_problem(refused, 409, "conflict")
    assert image["id"] != second["id"]


async def test_who_may_delete_what(client_of: ClientOf) -> None:
    owner, other = await client_of(Role.CONTRIBUTOR), await client_of(Role.CONTRIBUTOR)
    place, _ = await new_image(owner)
    assert_problem(await gone(await client_of(Role.VIEWER), place), 403, "not-permitted")
    assert_problem(await gone(other, place), 403, "not-permitted")
    assert_problem(await gone(await client_of(Role.ADMIN, ZOO), place), 404, "not-found")
    assert_problem(await gone(await client_of(Role.EDITOR), place, permanent="true"), 403, "not-permitted")
    narrowed = await client_of(Role.ADMIN, ACME, Scope.READ)
    assert_problem(await gone(narrowed, place, permanent="true"), 403, "not-permitted")
    assert_problem(await gone(owner, f"{place}0"), 404, "not-found")
    assert_problem(await gone(owner, place, permanent="maybe"), 422, "validation")
    old = {"if-match": (await owner.get(place)).headers["etag"]}
    await owner.patch(f"{place}/metadata", json={"title": "New"})
    assert_problem(await owner.delete(place, headers=old), 412, "precondition-failed")
    assert (await gone(await client_of(Role.EDITOR), place)).status_code == 204
    assert_problem(await other.post(f"{place}/restore"), 403, "not-permitted")
    assert_problem(await owner.post(f"{place}/restore", headers=old), 412, "precondition-failed")
    assert_problem(await owner.patch(f"{place}/metadata", json={"title": "x"}), 409, "conflict")
    assert (await owner.post(f"{place}/restore")).status_code == 200


async def test_deletion_for_good_leaves_nothing(client_of: ClientOf, platform: Platform, database: Database) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client, tags=["blue"])
    assert (await picture_of(platform, image["url"])).status == 200
    key = {"idempotency-key": "delete-1"}
    answer = await client.delete(place, params={"permanent": "true"}, headers=key)
    assert (answer.status_code, answer.json()["kind"]) == (202, "images.delete")
    again = await client.delete(place, params={"permanent": "true"}, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert_problem(await client.get(place), 404, "not-found")
    assert (await picture_of(platform, image["url"])).status == 404
    assert await is_stored(platform.originals, image["original"])

    assert await run_due(platform) == ["images.delete"]
    job = (await client.get(f"/api/jobs/{answer.json()['id']}")).json()
    assert (job["state"], job["result"]) == ("succeeded", {"originals": 1})
    for model in (Image, ImageVersion, ImageTag, Original, Derivative):
        assert await rows_of(database, model) == [], model
    assert not await is_stored(platform.originals, image["original"])
    assert (await picture_of(platform, image["url"])).status == 404
    assert "image.deleted" in await actions(database)
    event = next(row for row in await rows_of(database, AuditEvent) if row.action == "image.deleted")
    assert event.before == {"original": image["original"], "file_name": "chair.jpg", "status": "ready"}

    place, back = await new_image(client)
    assert (back["original"], back["id"] != image["id"]) == (image["original"], True)
    assert not await is_refused(database, image["original"])
    assert (await picture_of(platform, back["url"])).status == 200


@pytest.mark.parametrize("claim", ["version", "watermark"])
async def test_an_original_on_which_something_stands_is_kept(
    client_of: ClientOf, platform: Platform, database: Database, claim: str
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    _, other = await new_image(client, 120)
    async with database.writing() as session:
        if claim == "version":
            old: Any = {"media_type": "image/jpeg", "size_bytes": 1, "width": 1, "height": 1}
            row: Any = ImageVersion(image=other["id"], number=2, tenant=ACME, original=image["original"], **old)
        else:
            row = Watermark(tenant=ACME, name="logo", original=image["original"], width=40, height=30)
        session.add(row)
    assert (await gone(client, place, permanent="true")).status_code == 202
    await run_due(platform)
    assert await is_stored(platform.originals, image["original"])
    assert {row.sha256 for row in await rows_of(database, Original)} == {image["original"], other["original"]}
    # an earlier version of an image that is served is shown; a watermark is laid over others, and shown alone no more
    assert await is_refused(database, image["original"]) == (claim == "watermark")


async def test_an_image_with_very_many_versions_goes_in_parts(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    facts: Any = {"media_type": "image/jpeg", "size_bytes": 1, "width": 1, "height": 1}
    async with database.writing() as session:
        for number in range(2, 1_203):
            original = f"{number:064x}"
            session.add(ImageVersion(image=image["id"], number=number, tenant=ACME, original=original, **facts))
    assert (await gone(client, place)).status_code == 204
    assert [len(job.parameters["originals"]) for job in await jobs_of(database, "caches.purge")] == [500, 500, 202]
    answer = await gone(client, place, permanent="true")
    assert answer.status_code == 202
    jobs = await jobs_of(database, "images.delete")
    assert answer.json()["id"] == jobs[0].id
    assert sum(len(job.parameters["originals"]) for job in jobs) == 1_202
    assert await is_refused(database, f"{1_202:064x}")


async def test_an_old_version_goes_and_comes_back_with_its_image(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.ADMIN)
    place, image = await new_image(client)
    old = "ab" * 32
    async with database.writing() as session:
        facts: Any = {"media_type": "image/jpeg", "size_bytes": 1, "width": 1, "height": 1}
        session.add(ImageVersion(image=image["id"], number=2, tenant=ACME, original=old, **facts))
    await gone(client, place)
    assert await is_refused(database, old)
    await client.post(f"{place}/restore")
    assert not await is_refused(database, old)
    await gone(client, place, permanent="true")
    assert await is_refused(database, old)
    await run_due(platform)
    assert (await jobs_of(database, "images.delete"))[0].result == {"originals": 2}
