"""Sources over the API: credentials go in and never come out."""

import json
from dataclasses import replace

import httpx
from sqlmodel import select

from catalog.api.context import ApiContext
from catalog.core.roles import Role
from catalog.management import create_api
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.identity import IdempotencyKey
from catalog.tenants.tenant_repository import find_signer
from proxy.core.url.source import Source
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_presets import all_items
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO

PREFIX = "https://img.example.com/photos"
SECRET = "Bearer highly-confidential"
REFUSED: list[tuple[dict[str, object], str]] = [
    ({"prefix": "ftp://host"}, "/prefix"),
    ({"prefix": "https://user@host"}, "/prefix"),
    ({"prefix": "https://HOST"}, "/prefix"),
    ({"prefix": "https://host/?a=b"}, "/prefix"),
    ({"prefix": ""}, "/prefix"),
    ({"prefix": "https://h/" + "x" * 1_024}, "/prefix"),
    ({"prefix": "s3://photos"}, "/credentials"),
    ({"prefix": "s3://photos", "credentials": {"access_key_id": "AK"}}, "/credentials"),
    ({"prefix": PREFIX, "credentials": {"bad name": "x"}}, "/credentials"),
    ({"prefix": PREFIX, "credentials": {"authorization": ""}}, "/credentials"),
    ({"prefix": PREFIX, "credentials": {"authorization": "x" * 100_000}}, "/credentials"),
    ({"prefix": PREFIX, "credentials": {f"x-{number}": "1" for number in range(11)}}, "/credentials"),
]
"""What cannot be a source, and the field that is wrong."""


async def test_a_source_is_allowed_changed_and_deleted_and_delivery_knows(
    client_of: ClientOf, database: Database
) -> None:
    admin = await client_of(Role.ADMIN)
    body = {"prefix": f"{PREFIX}/", "credentials": {"authorization": SECRET}}
    created = await admin.post("/api/sources", json=body)
    source = created.json()
    place = f"/api/sources/{source['id']}"
    assert (created.status_code, created.headers["location"]) == (201, place)
    assert (source["prefix"], source["credentials"]) == (PREFIX, ["authorization"])
    read = await admin.get(place)
    assert (read.json(), read.headers["etag"]) == (source, created.headers["etag"])
    assert (await find_signer(database, ACME)).sources == (Source(PREFIX, (("authorization", SECRET),)),)
    assert_problem(await admin.post("/api/sources", json=body), 409, "source-refused")
    tag = {"if-match": created.headers["etag"]}
    changed = await admin.put(place, json={"credentials": {"x-key": "1"}}, headers=tag)
    assert (changed.status_code, changed.json()["credentials"]) == (200, ["x-key"])
    assert_problem(await admin.put(place, json={}, headers=tag), 412, "precondition-failed")
    assert_problem(await admin.delete(place, headers=tag), 412, "precondition-failed")
    assert (await admin.delete(place)).status_code == 204
    for answer in (await admin.get(place), await admin.put(place, json={}), await admin.delete(place)):
        assert_problem(answer, 404, "source-unknown")


async def test_secrets_are_in_no_answer_and_no_row(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    body, key = {"prefix": PREFIX, "credentials": {"authorization": SECRET}}, {"idempotency-key": "k"}
    created = await admin.post("/api/sources", json=body, headers=key)
    place = created.headers["location"]
    bad = await admin.put(place, json={"credentials": {"authorization": f"{SECRET}\n"}})
    await admin.put(place, json={"credentials": {"authorization": f"{SECRET}2"}})
    answers = [created, bad, await admin.get(place), await admin.get("/api/sources"), await admin.get("/api/audit")]
    await admin.delete(place)
    assert_problem(bad, 422, "validation")
    assert all(SECRET not in answer.text for answer in answers)
    async with database.reading() as session:
        events = list(await session.scalars(select(AuditEvent).where(AuditEvent.subject_type == "source")))
        kept = list(await session.scalars(select(IdempotencyKey)))
    assert [event.action for event in events] == ["source.created", "source.updated", "source.deleted"]
    assert SECRET not in json.dumps([[event.before, event.after] for event in events])
    assert events[0].after == {"prefix": PREFIX, "credential_names": ["authorization"]}
    assert all(SECRET.encode() not in row.body and PREFIX.encode() not in row.body for row in kept)
    assert len(kept) == 1


async def test_what_cannot_be_a_source_is_refused(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for body, at in REFUSED:
        answer = await admin.post("/api/sources", json=body)
        assert_problem(answer, 422, "validation")
        assert [error["at"] for error in answer.json()["errors"]] == [at]
    assert (await admin.get("/api/sources")).json()["items"] == []


async def test_the_installations_own_bucket_is_refused(client_of: ClientOf, context: ApiContext) -> None:
    settings = context.platform.settings.model_copy(update={"store_url": "s3://store/folder"})
    api = create_api(replace(context, platform=replace(context.platform, settings=settings)), 2**20)
    token = (await client_of(Role.ADMIN)).headers["authorization"]
    transport = httpx.ASGITransport(api)
    body = {"prefix": "s3://store/acme", "credentials": {"credentials": "machine"}}
    async with httpx.AsyncClient(transport=transport, base_url="http://darkroom.test") as client:
        answer = await client.post("/api/sources", json=body, headers={"authorization": token})
    assert_problem(answer, 422, "validation")
    assert "originals of all tenants" in answer.json()["detail"]


async def test_lists_are_in_pages_and_per_tenant(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    for name in "cab":
        assert (await acme.post("/api/sources", json={"prefix": f"https://{name}.example.com"})).status_code == 201
    listed = await all_items(acme, "/api/sources", 2)
    assert [source["prefix"] for source in listed] == [f"https://{name}.example.com" for name in "abc"]
    assert (await zoo.get("/api/sources")).json()["items"] == []
    place = f"/api/sources/{listed[0]['id']}"
    for answer in (await zoo.get(place), await zoo.put(place, json={}), await zoo.delete(place)):
        assert_problem(answer, 404, "source-unknown")
    assert len(await all_items(acme, "/api/sources", 50)) == 3


async def test_only_admins_see_sources(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    for answer in (await editor.get("/api/sources"), await editor.post("/api/sources", json={"prefix": PREFIX})):
        assert_problem(answer, 403, "not-permitted")
