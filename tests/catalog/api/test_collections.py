"""Collections over the API."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from catalog.core.roles import Role, Scope
from catalog.records.database import Database
from catalog.records.image import Image
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO, add_images

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


async def create(client: httpx.AsyncClient, name: str, **values: str) -> dict[str, Any]:
    """Create a collection and return it."""
    answer = await client.post("/api/collections", json={"name": name, **values})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_collection_is_created_read_listed_changed_and_deleted(client_of: ClientOf) -> None:
    editor, viewer = await client_of(Role.EDITOR), await client_of(Role.VIEWER)
    created = await editor.post("/api/collections", json={"name": " Summer "})
    collection = created.json()
    place = f"/api/collections/{collection['id']}"
    assert (created.status_code, created.headers["location"]) == (201, place)
    assert (collection["name"], collection["description"], collection["version"]) == ("Summer", "", 1)
    read = await viewer.get(place)
    assert (read.json(), read.headers["etag"]) == (collection, created.headers["etag"])
    assert (await viewer.get("/api/collections")).json()["items"] == [collection]
    changed = await editor.put(place, json={"name": "Winter", "description": "Skis"})
    assert (changed.json()["name"], changed.json()["description"], changed.json()["version"]) == ("Winter", "Skis", 2)
    assert changed.headers["etag"] == (await viewer.get(place)).headers["etag"] != created.headers["etag"]
    assert (await editor.delete(place)).status_code == 204
    assert_problem(await viewer.get(place), 404, "not-found")
    assert_problem(await editor.delete(place), 404, "not-found")


async def test_each_change_is_an_event_and_no_change_is_none(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    identifier = (await create(admin, "Summer"))["id"]
    place = f"/api/collections/{identifier}"
    await admin.put(place, json={"name": "Winter"})
    unchanged = await admin.put(place, json={"name": "Winter"})
    assert unchanged.json()["version"] == 2
    await admin.delete(place)
    events = (await admin.get(f"/api/audit?subject=collection/{identifier}")).json()["items"]
    summer, winter = ({"name": name, "description": ""} for name in ("Summer", "Winter"))
    assert [(event["action"], event["before"], event["after"]) for event in events] == [
        ("collection.deleted", winter, None),
        ("collection.updated", summer, winter),
        ("collection.created", None, summer),
    ]


async def test_a_name_is_unique_within_the_tenant(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.EDITOR), await client_of(Role.EDITOR, ZOO)
    await create(acme, "Summer")
    other = await create(acme, "Winter")
    assert_problem(await acme.post("/api/collections", json={"name": "Summer"}), 409, "conflict")
    assert_problem(await acme.put(f"/api/collections/{other['id']}", json={"name": "Summer"}), 409, "conflict")
    await create(zoo, "Summer")


async def test_of_many_at_once_one_gets_the_name(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    answers = await asyncio.gather(*(editor.post("/api/collections", json={"name": "Summer"}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    ids = [(await create(editor, f"other {number}"))["id"] for number in range(4)]
    renamed = await asyncio.gather(*(editor.put(f"/api/collections/{id_}", json={"name": "New"}) for id_ in ids))
    assert sorted(answer.status_code for answer in renamed) == [200] + [409] * 3


async def test_if_match_of_another_version_is_412_and_changes_nothing(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    place = f"/api/collections/{(await create(editor, 'Summer'))['id']}"
    tag = (await editor.get(place)).headers["etag"]
    current = (await editor.put(place, json={"name": "Winter"}, headers={"if-match": tag})).headers["etag"]
    for answer in (
        await editor.put(place, json={"name": "Autumn"}, headers={"if-match": tag}),
        await editor.delete(place, headers={"if-match": tag}),
    ):
        assert_problem(answer, 412, "precondition-failed")
        assert answer.headers["etag"] == current
    assert (await editor.get(place)).json()["name"] == "Winter"
    assert (await editor.delete(place, headers={"if-match": f'"x", {current}'})).status_code == 204


async def test_a_collection_with_images_is_not_deleted(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    identifier = (await create(editor, "Summer"))["id"]
    images = await add_images(database, 3)
    for some, count in ((images[:1], "1 image:"), (images, "3 images:")):
        async with database.writing() as session:
            await session.execute(update(Image).where(col(Image.id).in_(some)).values(collection=identifier))
        answer = await editor.delete(f"/api/collections/{identifier}")
        assert_problem(answer, 409, "conflict")
        assert count in answer.json()["detail"]
    assert (await editor.get(f"/api/collections/{identifier}")).status_code == 200


async def test_pages_neither_skip_nor_repeat_under_inserts(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    made = [(await create(editor, f"{number}"))["id"] for number in range(5)]
    listed: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await editor.get("/api/collections", params=query)).json()
        listed += [item["id"] for item in page["items"]]
        await create(editor, f"new {len(listed)}")
        if (cursor := page["next_cursor"]) is None:
            break
    assert listed == made[::-1]
    tokens = await (await client_of(Role.ADMIN)).get("/api/tokens?limit=1")
    foreign = {"cursor": tokens.json()["next_cursor"]}
    assert_problem(await editor.get("/api/collections", params=foreign), 400, "invalid-cursor")


async def test_collections_of_other_tenants_do_not_exist(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.EDITOR), await client_of(Role.EDITOR, ZOO)
    collection = await create(acme, "Summer")
    place = f"/api/collections/{collection['id']}"
    for answer in (await zoo.get(place), await zoo.put(place, json={"name": "Mine"}), await zoo.delete(place)):
        assert_problem(answer, 404, "not-found")
    assert (await zoo.get("/api/collections")).json() == {"items": [], "next_cursor": None}
    assert (await acme.get(place)).json() == collection


async def test_roles_and_scopes(client_of: ClientOf) -> None:
    identifier = (await create(await client_of(Role.EDITOR), "Summer"))["id"]
    place = f"/api/collections/{identifier}"
    contributor, narrowed = await client_of(Role.CONTRIBUTOR), await client_of(Role.EDITOR, ACME, Scope.READ)
    for client in (contributor, narrowed):
        assert (await client.get(place)).status_code == 200
        for answer in (
            await client.post("/api/collections", json={"name": "x"}),
            await client.put(place, json={"name": "x"}),
            await client.delete(place),
        ):
            assert_problem(answer, 403, "not-permitted")
    nobody = {"authorization": ""}
    for path in (place, "/api/collections"):
        assert_problem(await contributor.get(path, headers=nobody), 401, "unauthenticated")


@pytest.mark.parametrize("identifier", ["1", "%00", "%ED%A0%80", "x" * 5_000, "..%2F..", UNKNOWN, UNKNOWN.upper()])
async def test_ids_that_do_not_exist_are_404(client_of: ClientOf, identifier: str) -> None:
    editor = await client_of(Role.EDITOR)
    place = f"/api/collections/{identifier}"
    for answer in (await editor.get(place), await editor.put(place, json={"name": "x"}), await editor.delete(place)):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "at"),
    [
        (b"{}", "/name"),
        (b"[]", ""),
        (b'{"name": 5}', "/name"),
        (b'{"name": ""}', "/name"),
        (b'{"name": "  "}', "/name"),
        (b'{"name": "a\\nb"}', "/name"),
        (b'{"name": "\\u0000"}', "/name"),
        (b'{"name": "\\ud800"}', "/name"),
        (b'{"name": "' + b"n" * 129 + b'"}', "/name"),
        (b'{"name": "x", "description": "' + b"d" * 2_001 + b'"}', "/description"),
        (b'{"name": "x", "description": null}', "/description"),
        (b'{"name": "x", "description": 1e400}', "/description"),
        (b'{"name": "x", "id": "y"}', "/id"),
    ],
)
async def test_bad_bodies_are_refused_and_write_nothing(client_of: ClientOf, content: bytes, at: str) -> None:
    editor = await client_of(Role.EDITOR)
    place = f"/api/collections/{(await create(editor, 'Summer'))['id']}"
    before = (await editor.get("/api/collections")).json()
    headers = {"content-type": "application/json"}
    for answer in (
        await editor.post("/api/collections", content=content, headers=headers),
        await editor.put(place, content=content, headers=headers),
    ):
        assert_problem(answer, 422, "validation")
        assert [error["at"] for error in answer.json()["errors"]] == [at]
    assert (await editor.get("/api/collections")).json() == before
