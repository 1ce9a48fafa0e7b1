"""Uploads over the API: a real worker, originals on disk, both databases."""

import asyncio
from hashlib import sha256
from typing import Any

import httpx
import pytest
from sqlmodel import select

from catalog.api.context import ApiContext
from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules, write_rules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.images.schemas import ImageView
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image, ImageVersion
from catalog.records.tables import Original
from catalog.records.tenant_settings import TenantSettings
from proxy.core.identifiers import Digest
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import FRAGMENT, described, located, picture
from tests.catalog.samples import ACME, ZOO

UPLOAD, MULTIPLE = "/api/images/upload", "/api/images/upload/multiple"
FIELDS = set(ImageView.model_fields) - {"location", "reason", "failed_parts", "duplicate"}


async def upload(
    client: httpx.AsyncClient,
    body: bytes,
    file_name: str = "chair.jpg",
    declared: str = "image/jpeg",
    headers: dict[str, str] | None = None,
    **fields: Any,  # noqa: ANN401 - what a form may hold
) -> httpx.Response:
    return await client.post(UPLOAD, files={"file": (file_name, body, declared)}, data=fields, headers=headers or {})


async def set_rules(database: Database, rules: TenantRules) -> None:
    async with database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=write_rules(rules)))


async def rows_of(database: Database, model: Any) -> list[Any]:  # noqa: ANN401 - a table
    async with database.reading() as session:
        return list(await session.scalars(select(model)))


async def test_an_image_is_created_whole(client_of: ClientOf, context: ApiContext, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture(orientation=6)
    answer = await upload(
        client,
        body,
        title="Chair",
        alt_text="A chair",
        caption="Blue",
        tags=["oak", "blue", "oak"],
        metadata='{"sku": "42"}',
        focus="0.25,0.75",
        entity_type="product",
        entity_id="42",
        primary="true",
    )
    assert answer.status_code == 201, answer.text
    image = answer.json()
    digest = sha256(body).hexdigest()
    assert image.keys() == FIELDS
    assert answer.headers["location"] == f"/api/images/{image['id']}"
    assert answer.headers["etag"] == f'"{image["id"]}-1"'
    assert (image["original"], image["file_name"], image["size_bytes"]) == (digest, "chair.jpg", len(body))
    assert (image["width"], image["height"], image["frames"], image["has_alpha"]) == (30, 40, 1, False)
    assert (image["title"], image["alt_text"], image["caption"]) == ("Chair", "A chair", "Blue")
    assert (image["tags"], image["metadata"]) == (["blue", "oak"], {"sku": "42"})
    assert (image["focus"], image["status"], image["optimized"]) == ({"x": 0.25, "y": 0.75}, "ready", None)
    assert image["entities"] == [{"type": "product", "id": "42", "position": 0, "primary": True}]
    assert image["url"].startswith(f"https://img.example.com/t/acme/{digest}/~preview-fp0.25_0.75?s=")
    assert image["placeholder"]["thumbhash"]
    assert image["quality"].keys() == {"score", "sharpness", "exposure", "contrast", "resolution"}
    assert (await client.get(answer.headers["location"])).json() == image
    with await context.originals.open(ACME, Digest(digest)) as original:
        assert original.head(len(body) + 1) == body
    assert [row.number for row in await rows_of(database, ImageVersion)] == [1]
    [original_row] = await rows_of(database, Original)
    assert (original_row.sha256, original_row.size_bytes) == (digest, len(body))
    actions = [row.action for row in await rows_of(database, AuditEvent) if row.subject_type != "token"]
    assert sorted(actions) == ["entity.linked", "image.created"]


async def test_the_same_bytes_are_one_image_and_only_tags_and_links_are_added(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    first = (await upload(client, body, title="Chair", tags=["blue"])).json()
    same = await upload(client, body, "other.jpg", title="Other", alt_text="x")
    assert (same.status_code, same.json()) == (200, first | {"duplicate": True})
    fields: dict[str, Any] = {"tags": ["blue", "oak"], "entity_type": "product", "entity_id": "7"}
    again = await upload(client, body, "other.jpg", title="Other", **fields)
    assert again.status_code == 200
    assert (again.json()["tags"], again.json()["title"]) == (["blue", "oak"], "Chair")
    assert again.json()["entities"] == [{"type": "product", "id": "7", "position": 0, "primary": True}]
    assert (again.json()["id"], again.json()["version"]) == (first["id"], 2)
    assert (await upload(client, body, "other.jpg", **fields)).json()["version"] == 2


async def test_the_same_bytes_at_once_are_one_image(client_of: ClientOf, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    answers = await asyncio.gather(*(upload(client, body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await rows_of(database, Image)) == 1


async def test_tenants_have_their_own_images(client_of: ClientOf) -> None:
    acme, zoo, body = await client_of(Role.CONTRIBUTOR), await client_of(Role.CONTRIBUTOR, ZOO), picture()
    first = (await upload(acme, body)).json()
    by_hash = f"/api/images/by-hash/{first['original']}"
    assert_problem(await zoo.get(by_hash), 404, "not-found")
    assert_problem(await zoo.get(f"/api/images/{first['id']}"), 404, "not-found")
    assert (await zoo.head(by_hash)).status_code == 404
    assert (await upload(zoo, body)).status_code == 201
    assert (await acme.get(by_hash)).json() == first
    assert (await acme.head(by_hash)).status_code == 200
    assert_problem(await acme.get("/api/images/by-hash/xyz"), 404, "not-found")


async def test_an_idempotency_key_covers_file_and_fields(client_of: ClientOf) -> None:
    client, key = await client_of(Role.CONTRIBUTOR), {"idempotency-key": "one"}
    first = await upload(client, picture(), headers=key, title="Chair")
    again = await upload(client, picture(), headers=key, title="Chair")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert_problem(await upload(client, picture(), headers=key, title="Other"), 422, "idempotency-key-reused")
    assert_problem(await upload(client, picture(7), headers=key, title="Chair"), 422, "idempotency-key-reused")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif"])
async def test_what_follows_the_end_is_cut_off(client_of: ClientOf, context: ApiContext, suffix: str) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture(suffix=suffix)
    answer = await upload(client, body + FRAGMENT, f"chair{suffix}", "application/octet-stream")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["original"], answer.json()["size_bytes"]) == (sha256(body).hexdigest(), len(body))
    with await context.originals.open(ACME, Digest(answer.json()["original"])) as original:
        assert original.head(len(body) + 100) == body
    assert (await upload(client, body, f"chair{suffix}", "application/octet-stream")).status_code == 200


async def test_what_follows_the_end_is_refused_where_the_tenant_wants_it(
    client_of: ClientOf, database: Database
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    await set_rules(database, TenantRules(TenantUploadRules(UploadRules(reject_trailing_data=True))))
    answer = await upload(client, picture() + FRAGMENT)
    assert_problem(answer, 415, "upload-refused")
    assert answer.json()["reason"] == "trailing-data"
    assert (await upload(client, picture())).status_code == 201


@pytest.mark.parametrize("refuses", [False, True])
async def test_scripts_in_metadata_are_refused_where_the_tenant_wants_it(
    client_of: ClientOf, database: Database, refuses: bool
) -> None:
    """What follows the end is cut off before, and does not count."""
    client = await client_of(Role.CONTRIBUTOR)
    await set_rules(database, TenantRules(TenantUploadRules(UploadRules(reject_active_content=refuses))))
    answer = await upload(client, described("<ScRipt>alert(1)</script>"))
    assert answer.status_code == (415 if refuses else 201)
    assert answer.json().get("reason") == ("active-content" if refuses else None)
    assert (await upload(client, picture() + FRAGMENT)).status_code == 201


async def test_rules_of_an_entity_type_apply_to_its_images(client_of: ClientOf, database: Database) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    rules = TenantUploadRules(by_entity_type={"avatar": UploadRules(max_pixels=100, formats=frozenset({"png"}))})
    await set_rules(database, TenantRules(rules))
    avatar: dict[str, Any] = {"entity_type": "avatar", "entity_id": "1"}
    refused = await upload(client, picture(), **avatar)
    assert_problem(refused, 415, "upload-refused")
    png = picture(suffix=".png")
    assert_problem(await upload(client, png, "a.png", "image/png", **avatar), 422, "over-limit")
    assert (await upload(client, png, "a.png", "image/png")).status_code == 201


@pytest.mark.parametrize("kept", [False, True])
async def test_places_are_kept_only_where_the_tenant_asks(
    client_of: ClientOf,
    database: Database,
    kept: bool,
) -> None:
    await set_rules(database, TenantRules(keep_location=kept))
    answer = await upload(await client_of(Role.CONTRIBUTOR), located())
    place = {"latitude": 48.133333, "longitude": 11.566667}
    assert answer.json().get("location") == (place if kept else None)
    assert ("48.1" in answer.text) is kept
    assert (answer.json()["camera"], answer.json()["taken_at"]) == ("Leica M11", "2026-11-24T12:00:00Z")
    [row] = await rows_of(database, Image)
    assert row.location == (place if kept else None)


@pytest.mark.parametrize(
    ("body", "file_name", "declared", "status", "code"),
    [
        (b"", "a.jpg", "image/jpeg", 415, "upload-refused"),
        (b"<html><script>alert(1)</script></html>", "a.jpg", "image/jpeg", 415, "upload-refused"),
        (picture(), "a.php", "image/jpeg", 415, "upload-refused"),
        (picture(), "a.php.jpg", "image/jpeg", 415, "upload-refused"),
        (picture(), "a.png", "image/jpeg", 415, "upload-refused"),
        (picture(), "a.jpg", "image/png", 415, "upload-refused"),
        (picture()[:-40], "a.jpg", "image/jpeg", 415, "damaged"),
        (picture(suffix=".png")[:-9], "a.png", "image/png", 415, "damaged"),
        (b"%PDF-1.7\n", "a.pdf", "application/pdf", 415, "upload-refused"),
        (picture() + bytes(2**20), "a.jpg", "image/jpeg", 413, "too-large"),
        (picture(width=2_000, height=600), "a.jpg", "image/jpeg", 422, "over-limit"),
    ],
)
async def test_bad_files_are_refused_and_leave_nothing(  # noqa: PLR0917 - a row of the table
    client_of: ClientOf,
    context: ApiContext,
    database: Database,
    body: bytes,
    file_name: str,
    declared: str,
    status: int,
    code: str,
) -> None:
    answer = await upload(await client_of(Role.CONTRIBUTOR), body, file_name, declared)
    assert_problem(answer, status, code)
    assert await rows_of(database, Image) == []
    assert await rows_of(database, Original) == []


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"title": "a\0b"}, "/title"),
        ({"title": "t" * 256}, "/title"),
        ({"title": ["a", "b"]}, "/title"),
        ({"alt_text": "\x1b"}, "/alt_text"),
        ({"tags": [" "]}, "/tags/0"),
        ({"tags": [str(number) for number in range(101)]}, "/tags"),
        ({"metadata": "{"}, "/metadata"),
        ({"metadata": "[]"}, "/metadata"),
        ({"metadata": "[" * 60_000}, "/metadata"),
        ({"metadata": '{"a": 1e999}'}, "/metadata"),
        ({"metadata": '{"a": NaN}'}, "/metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "/metadata"),
        ({"metadata": '{"a": "\\ud800"}'}, "/metadata"),
        ({"metadata": '{"a": ' + "9" * 5_000 + "}"}, "/metadata"),
        ({"focus": "0.5"}, "/focus"),
        ({"focus": "2,0"}, "/focus/x"),
        ({"focus": "nan,0"}, "/focus/x"),
        ({"entity_type": "product"}, ""),
        ({"entity_type": "pro duct", "entity_id": "1"}, "/entity_type"),
        ({"entity_type": "product", "entity_id": "1\0"}, "/entity_id"),
        ({"primary": "true"}, ""),
        ({"primary": "maybe", "entity_type": "p", "entity_id": "1"}, "/primary"),
        ({"collection": "x"}, "/collection"),
        ({"collection": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"}, "/collection"),
        ({"surprise": "1"}, "/surprise"),
    ],
)
async def test_bad_fields_are_refused_and_write_nothing(
    client_of: ClientOf, database: Database, fields: dict[str, Any], at: str
) -> None:
    answer = await upload(await client_of(Role.CONTRIBUTOR), picture(), **fields)
    assert_problem(answer, 422, "validation")
    assert [error["at"] for error in answer.json()["errors"]] == [at]
    assert await rows_of(database, Image) == []


async def test_exactly_one_file_is_taken(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    two = [("file", (name, picture(), "image/jpeg")) for name in ("a.jpg", "b.jpg")]
    assert_problem(await client.post(UPLOAD, files=two), 422, "validation")
    other = {"picture": ("a.jpg", picture(), "image/jpeg")}
    assert_problem(await client.post(UPLOAD, files=other), 422, "validation")
    boundary = {"content-type": "multipart/form-data; boundary=b"}
    field = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    assert_problem(await client.post(UPLOAD, content=field, headers=boundary), 422, "validation")
    title = field.replace(b"file", b"title")
    assert_problem(await client.post(UPLOAD, content=title, headers=boundary), 422, "validation")
    assert_problem(await client.post(UPLOAD, content=field[:-8], headers=boundary), 400, "invalid-request")
    assert_problem(await client.post(UPLOAD, json={}), 400, "invalid-request")
    assert_problem(await client.post(UPLOAD), 400, "invalid-request")


async def test_only_contributors_upload(client_of: ClientOf) -> None:
    viewer = await client_of(Role.VIEWER)
    for path in (UPLOAD, MULTIPLE):
        files = {"file": ("a.jpg", picture(), "image/jpeg")}
        assert_problem(await viewer.post(path, files=files), 403, "not-permitted")
        answer = await viewer.post(path, files=files, headers={"authorization": ""})
        assert_problem(answer, 401, "unauthenticated")
    assert_problem(await viewer.get(f"/api/images/by-hash/{'0' * 64}"), 403, "not-permitted")


async def test_a_name_is_shown_without_its_folder(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    answer = await upload(client, picture(), "../../etc/passwd/..\\chair\u202e.jpg")
    assert answer.json()["file_name"] == "chair\N{REPLACEMENT CHARACTER}.jpg"


async def test_many_files_have_results_in_order_and_one_bad_one_spoils_none(
    client_of: ClientOf, database: Database
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    named = [
        ("a.jpg", picture(1)),
        ("page.html", b"<html>"),
        ("short.jpg", picture(2)[:-30]),
        ("large.jpg", picture(3) + bytes(2**20)),
        ("a again.jpg", picture(1)),
        ("b.jpg", picture(4)),
    ]
    files = [("files", (name, body, "application/octet-stream")) for name, body in named]
    data = {"tags": ["series"], "entity_type": "product", "entity_id": "9"}
    answer = await client.post(MULTIPLE, files=files, data=data)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["file_name"] for result in results] == [name for name, _ in named]
    assert [result["status"] for result in results] == [201, 415, 415, 413, 200, 201]
    assert results[1]["error"]["reason"] == "extension-dangerous"
    assert results[4]["image"]["id"] == results[0]["image"]["id"]
    assert results[4]["image"]["duplicate"] is True
    assert results[5]["image"]["entities"] == [{"type": "product", "id": "9", "position": 1, "primary": False}]
    assert len(await rows_of(database, Image)) == 2
    assert_problem(await client.post(MULTIPLE, data={"tags": "x"}, files={}), 400, "invalid-request")
    assert_problem(await client.post(MULTIPLE, files=files, data={"title": "\0"}), 422, "validation")


async def test_many_files_with_one_key_are_done_once(client_of: ClientOf, database: Database) -> None:
    client, key = await client_of(Role.CONTRIBUTOR), {"idempotency-key": "many"}
    files = [("files", (f"{level}.jpg", picture(level), "image/jpeg")) for level in (1, 2)]
    first = await client.post(MULTIPLE, files=files, headers=key)
    again = await client.post(MULTIPLE, files=files, headers=key)
    assert (first.content, again.headers["idempotency-replayed"]) == (again.content, "true")
    assert_problem(await client.post(MULTIPLE, files=files[:1], headers=key), 422, "idempotency-key-reused")
