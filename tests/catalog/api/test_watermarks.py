"""Watermarks over the API."""

import httpx
import pytest

from catalog.core.roles import Role
from catalog.records.database import Database
from catalog.tenants.tenant_repository import find_signer
from catalog.watermarks import service
from proxy.core.geometry import Size
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_presets import all_items
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


async def add_image(client: httpx.AsyncClient, level: int = 100, orientation: int = 1) -> dict[str, str]:
    """Upload an image of 40×30 pixels as stored, and return it."""
    body = picture(level, orientation=orientation)
    answer = await client.post("/api/images/upload", files={"file": ("logo.jpg", body, "image/jpeg")})
    assert answer.status_code == 201, answer.text
    image: dict[str, str] = answer.json()
    return image


async def test_a_watermark_is_named_changed_and_deleted_and_delivery_knows(
    client_of: ClientOf, database: Database
) -> None:
    admin, viewer = await client_of(Role.ADMIN), await client_of(Role.VIEWER)
    first, second = await add_image(admin, 10), await add_image(admin, 200, orientation=6)
    created = await admin.post("/api/watermarks", json={"name": "logo", "image": first["id"]})
    assert (created.status_code, created.headers["location"]) == (201, "/api/watermarks/logo")
    shown = created.json()
    assert (shown["original"], shown["width"], shown["height"]) == (first["original"], 40, 30)
    read = await viewer.get("/api/watermarks/logo")
    assert (read.json(), read.headers["etag"]) == (shown, created.headers["etag"])
    assert await all_items(viewer, "/api/watermarks", 1) == [shown]
    changed = await admin.put("/api/watermarks/logo", json={"original": second["original"]})
    assert (changed.status_code, changed.json()["width"], changed.json()["height"]) == (200, 30, 40)
    mark = (await find_signer(database, ACME)).watermarks["logo"]
    assert (mark.original, mark.size) == (second["original"], Size(30, 40))
    assert (await admin.put("/api/presets/stamped", json={"recipe": "w400-wm_logo"})).status_code == 201
    assert_problem(await admin.delete("/api/watermarks/logo"), 409, "watermark-refused")
    await admin.delete("/api/presets/stamped")
    assert (await admin.delete("/api/watermarks/logo")).status_code == 204
    assert_problem(await viewer.get("/api/watermarks/logo"), 404, "watermark-missing")
    assert_problem(await admin.delete("/api/watermarks/logo"), 404, "watermark-missing")
    events = (await admin.get("/api/audit?subject=watermark/logo")).json()["items"]
    assert [event["action"] for event in events] == ["watermark.deleted", "watermark.updated", "watermark.created"]


async def test_if_match_and_names_in_use(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    first, second = await add_image(admin, 10), await add_image(admin, 200)
    body = {"image": first["id"]}
    created = await admin.put("/api/watermarks/logo", json=body)
    assert created.status_code == 201
    assert_problem(await admin.post("/api/watermarks", json={"name": "logo", **body}), 409, "watermark-refused")
    tag = {"if-match": created.headers["etag"]}
    assert (await admin.put("/api/watermarks/logo", json=body, headers=tag)).headers["etag"] == tag["if-match"]
    changed = await admin.put("/api/watermarks/logo", json={"image": second["id"]}, headers=tag)
    assert changed.status_code == 200
    assert_problem(await admin.put("/api/watermarks/logo", json=body, headers=tag), 412, "precondition-failed")
    assert_problem(await admin.delete("/api/watermarks/logo", headers=tag), 412, "precondition-failed")
    assert_problem(await admin.put("/api/watermarks/new", json=body, headers=tag), 404, "watermark-missing")


async def test_only_images_of_the_tenant_become_watermarks(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    image = await add_image(acme)
    for value in ({"image": image["id"]}, {"original": image["original"]}, {"image": UNKNOWN}):
        answer = await zoo.put("/api/watermarks/logo", json=value)
        assert_problem(answer, 422, "validation")
        assert [error["at"] for error in answer.json()["errors"]] == [f"/{next(iter(value))}"]
    await acme.put("/api/watermarks/logo", json={"image": image["id"]})
    assert_problem(await zoo.get("/api/watermarks/logo"), 404, "watermark-missing")
    assert_problem(await zoo.delete("/api/watermarks/logo"), 404, "watermark-missing")
    assert (await zoo.get("/api/watermarks")).json()["items"] == []


async def test_a_watermark_is_bounded_in_pixels(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LARGEST_PIXELS", 40 * 30 - 1)
    admin = await client_of(Role.ADMIN)
    image = await add_image(admin)
    answer = await admin.post("/api/watermarks", json={"name": "logo", "image": image["id"]})
    assert_problem(answer, 409, "watermark-refused")
    assert "1199 pixels" in answer.json()["detail"]


async def test_editors_read_and_admins_change(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    assert (await editor.get("/api/watermarks")).status_code == 200
    for answer in (
        await editor.post("/api/watermarks", json={"name": "logo", "image": UNKNOWN}),
        await editor.put("/api/watermarks/logo", json={"image": UNKNOWN}),
        await editor.delete("/api/watermarks/logo"),
    ):
        assert_problem(answer, 403, "not-permitted")
