"""Direct uploads: announced, sent to the store or to a sealed URL, completed."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest

from catalog.core.roles import Role, Scope
from catalog.core.tenant_rules import TenantRules, write_rules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.tenant_settings import TenantSettings
from catalog.records.upload_session import UploadSession
from catalog.uploads import sessions
from proxy.core.identifiers import UploadId
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import FRAGMENT, picture
from tests.catalog.samples import ACME, ZOO
from tests.catalog.uploads.samples import (
    change_session,
    images_created,
    rows_of,
    send_content,
    session_of,
    stored_uploads,
)

UPLOADS = "/api/uploads"


async def announce(client: httpx.AsyncClient, body: bytes, **fields: Any) -> httpx.Response:  # noqa: ANN401 - of JSON
    return await client.post(UPLOADS, json={"file_name": "chair.jpg", "size_bytes": len(body), **fields})


async def granted(client: httpx.AsyncClient, body: bytes, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - of JSON
    answer = await announce(client, body, **fields)
    assert answer.status_code == 201, answer.text
    grant: dict[str, Any] = answer.json()
    assert grant.keys() == {"id", "method", "url", "fields", "headers", "expires_at"}
    return grant


async def complete(client: httpx.AsyncClient, identifier: str) -> httpx.Response:
    return await client.post(f"{UPLOADS}/{identifier}/complete")


async def sent(client: httpx.AsyncClient, body: bytes, **fields: Any) -> str:  # noqa: ANN401 - of JSON
    grant = await granted(client, body, **fields)
    assert (await send_content(client, grant, body)).is_success
    return str(grant["id"])


async def test_a_file_is_announced_sent_and_completed(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    fields = {"title": "Chair", "tags": ["blue"], "metadata": {"sku": "42"}, "focus": {"x": 0.25, "y": 0.75}}
    entity = {"entity_type": "product", "entity_id": "42", "primary": True}
    identifier = await sent(client, body, sha256=sha256(body).hexdigest(), **fields, **entity)
    answer = await complete(client, identifier)
    assert answer.status_code == 201, answer.text
    image = answer.json()
    assert answer.headers["location"] == f"/api/images/{image['id']}"
    assert answer.headers["etag"] == f'"{image["id"]}-1"'
    assert (image["original"], image["file_name"], image["title"]) == (sha256(body).hexdigest(), "chair.jpg", "Chair")
    assert (image["tags"], image["metadata"], image["focus"]) == (["blue"], {"sku": "42"}, {"x": 0.25, "y": 0.75})
    assert image["entities"] == [{"type": "product", "id": "42", "position": 0, "primary": True}]
    again = await complete(client, identifier)
    assert (again.status_code, again.json()) == (201, image)
    assert await images_created(database) == 1
    assert (await session_of(database, identifier)).state == "completed"
    assert await stored_uploads(platform) == []


async def test_the_same_bytes_are_the_same_image(client_of: ClientOf, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    first = (await complete(client, await sent(client, body))).json()
    answer = await complete(client, await sent(client, body, tags=["oak"]))
    assert (answer.status_code, answer.json()["id"], answer.json()["duplicate"]) == (200, first["id"], True)
    assert answer.json()["tags"] == ["oak"]
    assert await images_created(database) == 1


async def test_known_bytes_need_not_be_sent(client_of: ClientOf, database: Database) -> None:
    client, zoo, body = await client_of(Role.CONTRIBUTOR), await client_of(Role.CONTRIBUTOR, ZOO), picture()
    image = (await complete(client, await sent(client, body))).json()
    digest = sha256(body).hexdigest()
    entity = {"entity_type": "product", "entity_id": "7"}
    answer = await announce(client, body, sha256=digest, tags=["oak"], **entity)
    assert (answer.status_code, answer.json()["id"], answer.json()["duplicate"]) == (200, image["id"], True)
    assert (answer.json()["tags"], answer.json()["entities"][0]["id"]) == (["oak"], "7")
    assert len(await rows_of(database, UploadSession)) == 1
    assert (await announce(zoo, body, sha256=digest)).status_code == 201, "another tenant's bytes are not known"


async def test_bytes_can_be_sent_again_until_they_are_right(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    other = picture(7)[: len(body)].ljust(len(body), b"\0")
    grant = await granted(client, body, sha256=sha256(body).hexdigest())
    assert_problem(await complete(client, grant["id"]), 409, "conflict")
    assert (await send_content(client, grant, other)).is_success
    refused = await complete(client, grant["id"])
    assert_problem(refused, 422, "validation")
    assert refused.json()["errors"][0]["at"] == "/sha256"
    assert await stored_uploads(platform) == []
    assert_problem(await complete(client, grant["id"]), 409, "conflict")
    assert (await send_content(client, grant, other)).is_success
    assert (await send_content(client, grant, body)).is_success
    assert (await complete(client, grant["id"])).status_code == 201


async def test_a_refused_file_ends_the_upload_with_the_same_answer(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()[:-40]
    grant = await granted(client, body)
    await send_content(client, grant, body)
    first, again = await complete(client, grant["id"]), await complete(client, grant["id"])
    for answer in (first, again):
        assert_problem(answer, 415, "damaged")
        assert answer.json()["detail"] == first.json()["detail"]
    assert await stored_uploads(platform) == []
    assert (await complete(client, await sent(client, picture() + FRAGMENT))).status_code == 201


async def test_another_length_is_refused(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    grant = await granted(client, body)
    for wrong in (body[:-1], body + b"x"):
        assert 400 <= (await send_content(client, grant, wrong)).status_code < 500
    assert await stored_uploads(platform) == []
    if grant["method"] == "PUT":
        path = grant["url"].removeprefix("https://img.example.com")

        async def pieces() -> Any:  # noqa: ANN401 - a generator
            yield body

        assert_problem(await client.put(path, content=pieces()), 400, "invalid-request")
        assert_problem(await client.put(path + "x", content=body), 403, "not-permitted")
        other = path.replace(grant["id"], (await granted(client, body))["id"])
        assert_problem(await client.put(other, content=body), 403, "not-permitted")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"file_name": "a.php"}, 415, "upload-refused"),
        ({"file_name": ""}, 422, "validation"),
        ({"size_bytes": 2**21}, 413, "too-large"),
        ({"size_bytes": 0}, 422, "validation"),
        ({"size_bytes": "many"}, 422, "validation"),
        ({"sha256": "ABC"}, 422, "validation"),
        ({"unknown": 1}, 422, "validation"),
        ({"tags": ["x" * 65]}, 422, "validation"),
        ({"entity_type": "product"}, 422, "validation"),
        ({"collection": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"}, 422, "validation"),
    ],
)
async def test_what_can_be_checked_is_checked_before_a_byte_is_sent(
    client_of: ClientOf, database: Database, fields: dict[str, Any], status: int, code: str
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    assert_problem(await announce(client, picture(), **fields), status, code)
    assert await rows_of(database, UploadSession) == []


async def test_rules_of_an_entity_type_hold(client_of: ClientOf, database: Database) -> None:
    rules = TenantUploadRules(by_entity_type={"avatar": UploadRules(max_bytes=100)})
    async with database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=write_rules(TenantRules(rules))))
    client = await client_of(Role.CONTRIBUTOR)
    assert_problem(await announce(client, picture(), entity_type="avatar", entity_id="1"), 413, "too-large")
    assert (await announce(client, picture())).status_code == 201


async def test_an_upload_belongs_to_its_tenant_and_its_creator(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    identifier = await sent(client, body)
    assert_problem(await complete(await client_of(Role.ADMIN, ZOO), identifier), 404, "not-found")
    assert_problem(await complete(await client_of(Role.CONTRIBUTOR), identifier), 403, "not-permitted")
    assert_problem(await announce(await client_of(Role.VIEWER), body), 403, "not-permitted")
    assert_problem(await announce(await client_of(Role.EDITOR, ACME, Scope.READ), body), 403, "not-permitted")
    for name in ("nothing", "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"):
        assert_problem(await complete(client, name), 404, "not-found")
    assert (await complete(await client_of(Role.EDITOR), identifier)).status_code == 201


async def test_an_upload_can_be_ended_and_expires(client_of: ClientOf, database: Database, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    ended, expired = await sent(client, body), await granted(client, body)
    assert (await client.delete(f"{UPLOADS}/{ended}")).status_code == 204
    assert_problem(await complete(client, ended), 404, "not-found")
    assert_problem(await client.delete(f"{UPLOADS}/{ended}"), 404, "not-found")
    assert await stored_uploads(platform) == []
    await change_session(database, expired["id"], expires_at=now() - timedelta(seconds=1))
    assert_problem(await complete(client, expired["id"]), 404, "not-found")
    if expired["method"] == "PUT":
        assert_problem(await send_content(client, expired, body), 404, "not-found")


async def test_an_image_stays_when_its_upload_is_ended(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    identifier = await sent(client, picture())
    image = (await complete(client, identifier)).json()
    assert (await client.delete(f"{UPLOADS}/{identifier}")).status_code == 204
    assert_problem(await complete(client, identifier), 404, "not-found")
    assert (await client.get(f"/api/images/{image['id']}")).status_code == 200


async def test_completing_at_once_makes_one_image(client_of: ClientOf, database: Database) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    identifier = await sent(client, picture())
    answers = await asyncio.gather(*(complete(client, identifier) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await images_created(database) == 1


async def test_idempotency_keys_hold(client_of: ClientOf, database: Database) -> None:
    client, body, key = await client_of(Role.CONTRIBUTOR), picture(), {"idempotency-key": "one"}
    announced = {"file_name": "chair.jpg", "size_bytes": len(body)}
    first = await client.post(UPLOADS, json=announced, headers=key)
    again = await client.post(UPLOADS, json=announced, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await rows_of(database, UploadSession)) == 1
    other = await client.post(UPLOADS, json=announced | {"title": "x"}, headers=key)
    assert_problem(other, 422, "idempotency-key-reused")
    await send_content(client, first.json(), body)
    path = f"{UPLOADS}/{first.json()['id']}/complete"
    image = await client.post(path, headers=key)
    repeated = await client.post(path, headers=key)
    assert (repeated.status_code, repeated.content) == (201, image.content)
    assert repeated.headers["idempotency-replayed"] == "true"


async def test_a_tenant_has_a_bounded_number_of_uploads_under_way(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    monkeypatch.setattr(sessions, "MAX_OPEN", 2)
    identifiers = [await sent(client, body) for _ in range(2)]
    refused = await announce(client, body)
    assert_problem(refused, 429, "too-many-uploads")
    assert refused.headers["retry-after"] == "60"
    await complete(client, identifiers[0])
    assert (await announce(client, body)).status_code == 201
    monkeypatch.setattr(sessions, "MAX_OPEN", 100)
    monkeypatch.setattr(sessions, "MAX_OPEN_BYTES", len(body))
    assert_problem(await announce(client, body), 429, "too-many-uploads")


async def test_a_file_that_does_not_fit_is_507(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    monkeypatch.setattr(sessions, "_RESERVE_BYTES", 2**60)
    answer = await announce(client, picture())
    if answer.status_code != 201:  # a bucket has no end
        assert_problem(answer, 507, "insufficient-storage")
    else:
        assert answer.json()["method"] == "POST"


async def test_a_completed_upload_takes_no_bytes_that_become_anything(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    grant = await granted(client, body)
    await send_content(client, grant, body)
    image = (await complete(client, grant["id"])).json()
    late = await send_content(client, grant, body)
    if grant["method"] == "PUT":
        assert_problem(late, 409, "conflict")
    assert (await complete(client, grant["id"])).json()["id"] == image["id"]
    assert await images_created(database) == 1
    await platform.upload_parts.delete(ACME, UploadId(grant["id"]))
