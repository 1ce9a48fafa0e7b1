"""Replacement of an image's bytes, its versions, and going back."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image, ImageVersion
from catalog.records.tables import Original
from catalog.versions import service
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import rows_of, set_rules, upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ZOO

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
OTHER = picture(200, 50, 20)
FIELDS: dict[str, Any] = {
    "title": "Chair",
    "alt_text": "A chair",
    "tags": ["oak"],
    "focus": "0.25,0.75",
    "entity_type": "product",
    "entity_id": "42",
}
KEPT = ("id", "title", "alt_text", "caption", "tags", "metadata", "focus", "entities", "created_at", "created_by")


async def replace(
    client: httpx.AsyncClient, identifier: str, body: bytes, file_name: str = "new.jpg", **headers: str
) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    files = {"file": (file_name, body, "application/octet-stream")}
    return await client.put(f"/api/images/{identifier}/replace", files=files, headers=fields)


async def versions_of(client: httpx.AsyncClient, identifier: str) -> list[tuple[int, str, bool]]:
    found = (await client.get(f"/api/images/{identifier}/versions")).json()["versions"]
    return [(version["number"], version["original"], version["current"]) for version in found]


async def test_what_is_said_stays_and_what_the_bytes_tell_is_renewed(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    before = (await upload(editor, picture(orientation=6), **FIELDS)).json()
    async with database.writing() as session:
        await session.execute(update(Image).values(optimized={"recipe": "w5-webp"}))
    answer = await replace(editor, before["id"], OTHER)
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert (after["width"], after["height"], after["file_name"]) == (50, 20, "new.jpg")
    assert after["original"] in after["url"]
    for name in ("original", "placeholder", "colors", "size_bytes"):
        assert after[name] != before[name], name
    assert (after["version"], answer.headers["etag"]) == (2, f'"{before["id"]}-2"')
    [row] = await rows_of(database, Image)
    assert (row.number, row.optimized, row.orientation) == (2, None, 1)
    fresh = (await upload(await client_of(Role.EDITOR, ZOO), OTHER)).json()
    for name in ("placeholder", "colors", "phash", "quality", "media_type", "size_bytes", "has_alpha", "frames"):
        assert after[name] == fresh[name], name
    assert await versions_of(editor, before["id"]) == [(2, after["original"], True), (1, before["original"], False)]
    assert {row.sha256 for row in await rows_of(database, Original)} == {before["original"], after["original"]}
    events = [event for event in await rows_of(database, AuditEvent) if event.action == "image.replaced"]
    assert [(event.before["number"], event.after["number"]) for event in events] == [(1, 2)]


async def test_the_same_bytes_change_nothing(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture())).json()
    answer = await replace(editor, image["id"], picture(), "other.jpg")
    assert (answer.status_code, answer.json()) == (200, image)
    assert len(await rows_of(database, ImageVersion)) == 1
    assert "image.replaced" not in {event.action for event in await rows_of(database, AuditEvent)}


async def test_bytes_of_another_image_are_refused(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    first, second = (await upload(editor, picture())).json(), (await upload(editor, OTHER)).json()
    refused = await replace(editor, first["id"], OTHER)
    assert_problem(refused, 409, "conflict")
    assert second["id"] in refused.json()["detail"]
    assert (await editor.get(f"/api/images/{first['id']}")).json() == first


async def test_a_version_is_restored_with_all_that_its_bytes_tell(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    first = (await upload(editor, picture(), **FIELDS)).json()
    second = (await replace(editor, first["id"], OTHER)).json()
    place = f"/api/images/{first['id']}/versions"
    restored = await editor.post(f"{place}/1/restore")
    assert restored.status_code == 200, restored.text
    changed = {"version", "updated_at"}
    assert {name: value for name, value in restored.json().items() if name not in changed} == {
        name: value for name, value in first.items() if name not in changed
    }
    assert restored.json()["version"] == 3
    assert (await editor.post(f"{place}/1/restore")).json()["version"] == 3
    third = (await replace(editor, first["id"], picture(7))).json()
    assert await versions_of(editor, first["id"]) == [
        (3, third["original"], True),
        (2, second["original"], False),
        (1, first["original"], False),
    ]
    for number in ("9", "0", "-1", "99999999999999999999", "x"):
        assert_problem(await editor.post(f"{place}/{number}/restore"), 404, "not-found")


async def test_a_version_whose_bytes_another_image_has_is_not_restored(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    first = (await upload(editor, picture())).json()
    await replace(editor, first["id"], OTHER)
    taken = (await upload(editor, picture())).json()
    assert taken["id"] != first["id"]
    refused = await editor.post(f"/api/images/{first['id']}/versions/1/restore")
    assert_problem(refused, 409, "conflict")
    assert taken["id"] in refused.json()["detail"]


async def test_a_version_whose_bytes_are_gone_is_not_restored(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture())).json()
    await replace(editor, image["id"], OTHER)
    async with database.writing() as session:
        first = update(ImageVersion).where(col(ImageVersion.number) == 1).values(original="f" * 64)
        await session.execute(first)
    assert_problem(await editor.post(f"/api/images/{image['id']}/versions/1/restore"), 404, "not-found")


async def test_if_match_and_idempotency_keys_are_honoured(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    created = await upload(editor, picture())
    identifier, tag = created.json()["id"], created.headers["etag"]
    key = {"idempotency_key": "one", "if_match": tag}
    first = await replace(editor, identifier, OTHER, **key)
    again = await replace(editor, identifier, OTHER, **key)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert_problem(await replace(editor, identifier, picture(7), **key), 422, "idempotency-key-reused")
    assert_problem(await replace(editor, identifier, picture(7), if_match=tag), 412, "precondition-failed")
    place, old = f"/api/images/{identifier}/versions/1/restore", {"if-match": tag}
    assert_problem(await editor.post(place, headers=old), 412, "precondition-failed")
    assert (await editor.post(place, headers={"if-match": first.headers["etag"]})).status_code == 200


async def test_of_replacements_at_once_none_is_lost(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    identifier = (await upload(editor, picture())).json()["id"]
    answers = await asyncio.gather(*(replace(editor, identifier, picture(level)) for level in (1, 50, 200, 250)))
    assert {answer.status_code for answer in answers} == {200}
    found = await versions_of(editor, identifier)
    assert [number for number, _, _ in found] == [5, 4, 3, 2, 1]
    assert len({original for _, original, _ in found}) == 5
    assert [current for _, _, current in found] == [True, False, False, False, False]


async def test_of_a_replacement_and_an_upload_of_the_same_bytes_one_has_them(
    client_of: ClientOf, database: Database
) -> None:
    editor = await client_of(Role.EDITOR)
    identifier = (await upload(editor, picture())).json()["id"]
    replaced, uploaded = await asyncio.gather(replace(editor, identifier, OTHER), upload(editor, OTHER))
    assert (replaced.status_code, uploaded.status_code) in {(200, 200), (409, 201)}
    async with database.reading() as session:
        originals = (await session.scalars(select(Image.original))).all()
    assert len(originals) == len(set(originals))


async def test_the_newest_versions_are_kept(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_VERSIONS", 2)
    editor = await client_of(Role.EDITOR)
    identifier = (await upload(editor, picture())).json()["id"]
    for level in (1, 50, 200):
        assert (await replace(editor, identifier, picture(level))).status_code == 200
    assert [number for number, _, _ in await versions_of(editor, identifier)] == [4, 3]


async def test_who_may_replace(client_of: ClientOf) -> None:
    contributor = await client_of(Role.CONTRIBUTOR)
    identifier = (await upload(contributor, picture())).json()["id"]
    assert_problem(await replace(contributor, identifier, OTHER), 403, "not-permitted")
    zoo = await client_of(Role.EDITOR, ZOO)
    assert_problem(await replace(zoo, identifier, OTHER), 404, "not-found")
    assert_problem(await zoo.get(f"/api/images/{identifier}/versions"), 404, "not-found")
    assert_problem(await zoo.post(f"/api/images/{identifier}/versions/1/restore"), 404, "not-found")
    assert_problem(await replace(zoo, UNKNOWN, OTHER), 404, "not-found")


async def test_images_in_the_trash_stay_as_they_are(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    identifier = (await upload(editor, picture())).json()["id"]
    await replace(editor, identifier, OTHER)
    async with database.writing() as session:
        await session.execute(update(Image).values(status="trashed"))
    assert_problem(await replace(editor, identifier, picture(7)), 409, "conflict")
    assert_problem(await replace(editor, identifier, picture(7), idempotency_key="k"), 409, "conflict")
    assert_problem(await editor.post(f"/api/images/{identifier}/versions/1/restore"), 409, "conflict")


async def test_bad_files_are_refused_and_change_nothing(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture(), entity_type="avatar", entity_id="1")).json()
    rules = TenantUploadRules(by_entity_type={"avatar": UploadRules(formats=frozenset({"jpeg"}))})
    await set_rules(database, TenantRules(rules))
    place = f"/api/images/{image['id']}/replace"
    assert_problem(await replace(editor, image["id"], b"<html>"), 415, "upload-refused")
    assert_problem(await replace(editor, image["id"], OTHER[:-40]), 415, "damaged")
    assert_problem(await replace(editor, image["id"], picture() + bytes(2**20)), 413, "too-large")
    assert_problem(await replace(editor, image["id"], picture(suffix=".png"), "a.png"), 415, "upload-refused")
    files = {"file": ("a.jpg", OTHER, "image/jpeg")}
    assert_problem(await editor.put(place, files=files, data={"title": "x"}), 422, "validation")
    assert_problem(await editor.put(place, json={}), 400, "invalid-request")
    assert (await editor.get(f"/api/images/{image['id']}")).json() == image
