"""Signing keys over the API."""

import asyncio
from hashlib import sha256

from sqlmodel import select

from catalog.core.roles import Role
from catalog.keys.service import MOST_KEYS
from catalog.records.database import Database
from catalog.records.identity import IdempotencyKey
from catalog.tenants.tenant_repository import find_signer
from proxy.core.url.signing import SigningKey
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_presets import all_items
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO

SECRET = "correct-horse-battery-staple"


async def test_a_key_is_shown_once_signs_and_is_retired(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    [first] = (await admin.get("/api/keys")).json()["items"]
    assert (first["state"], first["retired_at"]) == ("signs", None)
    created = await admin.post("/api/keys", json={"secret": SECRET})
    key = created.json()
    assert (created.status_code, created.headers["location"]) == (201, f"/api/keys/{key['id']}")
    assert (key["secret"], key["fingerprint"]) == (SECRET, sha256(SECRET.encode()).hexdigest()[:8])
    assert (await find_signer(database, ACME)).keys[0].seal("x") == SigningKey.derive(SECRET).seal("x")
    listed = await all_items(admin, "/api/keys", 1)
    assert [(item["id"], item["state"]) for item in listed] == [(key["id"], "signs"), (first["id"], "verifies")]
    place = f"/api/keys/{first['id']}"
    assert (await admin.delete(place)).status_code == 204
    assert_problem(await admin.delete(place), 404, "key-missing")
    shown = (await admin.get(place)).json()
    assert (shown["state"], shown["retired_at"] is None) == ("retired", False)
    assert_problem(await admin.delete(f"/api/keys/{key['id']}"), 409, "key-refused")
    assert len((await find_signer(database, ACME)).keys) == 1
    events = (await admin.get("/api/audit?subject=key")).json()["items"]
    assert [(event["action"], event["subject"]["id"]) for event in events[:2]] == [
        ("key.retired", str(first["id"])),
        ("key.created", str(key["id"])),
    ]
    texts = [(await admin.get(path)).text for path in ("/api/keys", place, "/api/audit")]
    assert all(SECRET not in text for text in texts)


async def test_a_repeated_request_gives_the_same_secret_which_is_stored_encrypted(
    client_of: ClientOf, database: Database
) -> None:
    admin, key = await client_of(Role.ADMIN), {"idempotency-key": "rotation 7"}
    first = await admin.post("/api/keys", json={}, headers=key)
    second = await admin.post("/api/keys", json={}, headers=key)
    assert (second.json(), second.headers["idempotency-replayed"]) == (first.json(), "true")
    assert len(first.json()["secret"]) >= 43
    async with database.reading() as session:
        [row] = await session.scalars(select(IdempotencyKey))
    assert first.json()["secret"].encode() not in row.body
    assert first.json()["secret"] in database.cipher.decrypt(row.body.decode())


async def test_of_two_who_retire_the_last_two_keys_one_does(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    await admin.post("/api/keys", json={})
    ids = [key["id"] for key in (await admin.get("/api/keys")).json()["items"]]
    answers = await asyncio.gather(*(admin.delete(f"/api/keys/{identifier}") for identifier in ids))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert len((await find_signer(database, ACME)).keys) == 1


async def test_keys_are_bounded_and_a_secret_is_used_once(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    assert (await admin.post("/api/keys", json={"secret": SECRET})).status_code == 201
    assert_problem(await admin.post("/api/keys", json={"secret": SECRET}), 409, "key-refused")
    for _ in range(MOST_KEYS - 2):
        assert (await admin.post("/api/keys", json={})).status_code == 201
    assert_problem(await admin.post("/api/keys", json={}), 409, "key-refused")


async def test_a_poor_secret_is_refused(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for secret in ("", "fifteen-letters", "x" * 257, "sixteen letters\n", "nul\0" * 4, 5, ["x" * 16]):
        answer = await admin.post("/api/keys", json={"secret": secret})
        assert_problem(answer, 422, "validation")
        assert [error["at"] for error in answer.json()["errors"]] == ["/secret"]
    assert len((await admin.get("/api/keys")).json()["items"]) == 1


async def test_keys_of_other_tenants_do_not_exist(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    await acme.post("/api/keys", json={})
    for key in (await acme.get("/api/keys")).json()["items"]:
        assert_problem(await zoo.get(f"/api/keys/{key['id']}"), 404, "key-missing")
        assert_problem(await zoo.delete(f"/api/keys/{key['id']}"), 404, "key-missing")
    assert len((await zoo.get("/api/keys")).json()["items"]) == 1


async def test_ids_that_cannot_be_are_404(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for identifier in ("0", "-1", "x", "2147483648", "9" * 400, "1.5", "%00"):
        place = f"/api/keys/{identifier}"
        assert_problem(await admin.get(place), 404, "not-found")
        assert_problem(await admin.delete(place), 404, "not-found")


async def test_only_admins_see_keys(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    for answer in (await editor.get("/api/keys"), await editor.post("/api/keys", json={})):
        assert_problem(answer, 403, "not-permitted")
