"""Presets over the API."""

import asyncio
from typing import Any

import httpx

from catalog.core.roles import Role, Scope
from catalog.records.database import Database
from catalog.tenants.tenant_repository import find_signer
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import parse_ladder
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO

HERO = {"recipe": "w1280-auto", "unsigned": True, "widths": [640, 320], "dprs": [2, 1.5]}
FAULTS: list[tuple[dict[str, Any], str, str, str | None]] = [
    ({"recipe": "w400-h30x-auto"}, "/recipe", "w400-h30x-auto\n     ^^^^", None),
    ({"recipe": "auto-w400"}, "/recipe", "auto-w400\n^^^^", "w400-auto"),
    ({"recipe": "w400-auto", "unsigned": True, "widths": [320, 64_000]}, "/widths/1", "w64000\n^^^^^^", None),
    ({"recipe": "w400-auto", "unsigned": True, "dprs": [1.55]}, "/dprs/0", "w1-dpr1.55\n   ^^^^^^^", None),
]
"""Values of a preset: where their fault is, how it is underlined, and the right spelling."""


async def all_items(client: httpx.AsyncClient, path: str, limit: int) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return items


async def test_a_preset_is_created_changed_and_deleted_and_delivery_knows(
    client_of: ClientOf, database: Database
) -> None:
    admin, viewer = await client_of(Role.ADMIN), await client_of(Role.VIEWER)
    created = await admin.post("/api/presets", json={"name": "hero", **HERO})
    assert (created.status_code, created.headers["location"]) == (201, "/api/presets/hero")
    shown = created.json()
    assert (shown["name"], shown["version"], shown["recipe"]) == ("hero", 1, "w1280-auto")
    assert (shown["unsigned"], shown["widths"], shown["dprs"]) == (True, [320, 640], [1.5, 2.0])
    read = await viewer.get("/api/presets/hero")
    assert (read.json(), read.headers["etag"]) == (shown, created.headers["etag"])
    tenant = await find_signer(database, ACME)
    assert tenant.presets["hero"] == grammar.parse("w1280-auto")
    assert tenant.unsigned["hero"] == parse_ladder(["320", "640"], ["1.5", "2"])
    changed = await admin.put("/api/presets/hero", json={"recipe": "w1000-auto"})
    assert (changed.status_code, changed.json()["version"], changed.json()["unsigned"]) == (200, 2, False)
    assert (await admin.delete("/api/presets/hero")).status_code == 204
    assert_problem(await viewer.get("/api/presets/hero"), 404, "preset-missing")
    assert_problem(await admin.delete("/api/presets/hero"), 404, "preset-missing")
    assert "hero" not in (await find_signer(database, ACME)).presets
    versions = (await viewer.get("/api/presets/hero/versions")).json()["items"]
    assert [(version["version"], version["recipe"]) for version in versions] == [
        (3, None),
        (2, "w1000-auto"),
        (1, "w1280-auto"),
    ]
    again = await admin.put("/api/presets/hero", json={"recipe": "w900-auto"})
    assert (again.status_code, again.json()["version"]) == (201, 4)


async def test_each_change_is_an_event_and_no_change_is_none(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    await admin.put("/api/presets/hero", json=HERO)
    unchanged = await admin.put("/api/presets/hero", json=HERO)
    assert (unchanged.status_code, unchanged.json()["version"]) == (200, 1)
    await admin.put("/api/presets/hero", json={"recipe": "w1000-auto"})
    await admin.delete("/api/presets/hero")
    events = (await admin.get("/api/audit?subject=preset/hero")).json()["items"]
    first = {"recipe": "w1280-auto", "unsigned": True, "widths": [320, 640], "dprs": ["1.5", "2"]}
    second = {"recipe": "w1000-auto", "unsigned": False, "widths": [], "dprs": []}
    assert [(event["action"], event["before"], event["after"]) for event in events] == [
        ("preset.deleted", second, None),
        ("preset.updated", first, second),
        ("preset.created", None, first),
    ]


async def test_lists_are_in_pages(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for width in (1, 2, 3):
        await admin.put("/api/presets/zz", json={"recipe": f"w{width}"})
    names = [preset["name"] for preset in await all_items(admin, "/api/presets", 4)]
    assert names == sorted(names)
    assert {"card", "preview", "zz"} <= set(names)
    assert names == [preset["name"] for preset in (await admin.get("/api/presets?limit=200")).json()["items"]]
    versions = await all_items(admin, "/api/presets/zz/versions", 2)
    assert [version["version"] for version in versions] == [3, 2, 1]
    foreign = (await admin.get("/api/presets?limit=1")).json()["next_cursor"]
    answer = await admin.get("/api/presets/zz/versions", params={"cursor": foreign})
    assert_problem(answer, 400, "invalid-cursor")


async def test_an_existing_name_is_a_conflict_also_for_many_at_once(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    body = {"name": "hero", **HERO}
    answers = await asyncio.gather(*(admin.post("/api/presets", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    assert (await admin.get("/api/presets/hero")).json()["version"] == 1


async def test_if_match_of_another_version_is_412(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    tag = {"if-match": (await admin.get("/api/presets/card")).headers["etag"]}
    assert (await admin.put("/api/presets/card", json=HERO, headers=tag)).status_code == 200
    assert_problem(await admin.put("/api/presets/card", json=HERO, headers=tag), 412, "precondition-failed")
    assert_problem(await admin.delete("/api/presets/card", headers=tag), 412, "precondition-failed")
    anything = {"if-match": "*"}
    assert_problem(await admin.put("/api/presets/none", json=HERO, headers=anything), 404, "preset-missing")
    assert (await admin.put("/api/presets/card", json={"recipe": "w1"}, headers=anything)).status_code == 200


async def test_a_repeated_request_is_answered_again_and_done_once(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    key = {"idempotency-key": "one"}
    first = await admin.post("/api/presets", json={"name": "hero", **HERO}, headers=key)
    second = await admin.post("/api/presets", json={"name": "hero", **HERO}, headers=key)
    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    assert second.headers["idempotency-replayed"] == "true"


async def test_a_fault_in_a_recipe_is_underlined(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    before = (await admin.get("/api/presets")).json()
    for body, at, fault, right in FAULTS:
        for answer in (
            await admin.post("/api/presets", json={"name": "hero", **body}),
            await admin.put("/api/presets/card", json=body),
        ):
            assert_problem(answer, 422, "validation")
            assert [error["at"] for error in answer.json()["errors"]] == [at]
            assert (answer.json()["fault"], answer.json().get("right")) == (fault, right)
    without_width = {"name": "hero", "recipe": "q80-auto", "unsigned": True, "dprs": [2]}
    answer = await admin.post("/api/presets", json=without_width)
    assert_problem(answer, 422, "validation")
    assert (answer.json()["errors"][0]["at"], answer.json()["fault"]) == ("/dprs", "~hero-dpr2\n^^^^^^^^^^")
    assert (await admin.get("/api/presets")).json() == before


async def test_what_a_preset_needs_must_be_there(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    answer = await admin.put("/api/presets/hero", json={"recipe": "w400-wm_logo"})
    assert_problem(answer, 409, "preset-refused")
    assert "logo" in answer.json()["detail"]


async def test_a_preset_that_the_settings_name_is_not_deleted(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    assert (await admin.put("/api/settings", json={"eager_presets": ["card"]})).status_code == 200
    assert_problem(await admin.delete("/api/presets/card"), 409, "preset-refused")
    assert (await admin.put("/api/settings", json={})).status_code == 200
    assert (await admin.delete("/api/presets/card")).status_code == 204


async def test_presets_of_other_tenants_do_not_exist(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    await acme.post("/api/presets", json={"name": "hero", **HERO})
    for path in ("/api/presets/hero", "/api/presets/hero/versions"):
        assert_problem(await zoo.get(path), 404, "preset-missing")
    assert_problem(await zoo.delete("/api/presets/hero"), 404, "preset-missing")
    assert "hero" not in (await zoo.get("/api/presets")).text
    assert (await zoo.put("/api/presets/hero", json={"recipe": "w1"})).status_code == 201
    assert (await acme.get("/api/presets/hero")).json()["recipe"] == "w1280-auto"


async def test_roles_and_scopes(client_of: ClientOf) -> None:
    for client in (await client_of(Role.EDITOR), await client_of(Role.ADMIN, ACME, Scope.READ)):
        assert (await client.get("/api/presets/card")).status_code == 200
        for answer in (
            await client.post("/api/presets", json={"name": "hero", **HERO}),
            await client.put("/api/presets/card", json=HERO),
            await client.delete("/api/presets/card"),
        ):
            assert_problem(answer, 403, "not-permitted")


async def test_names_that_cannot_be_are_404(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for name in ("Card", "9", "a" * 33, "%00", "%ED%A0%80", "x-y"):
        place = f"/api/presets/{name}"
        assert_problem(await admin.get(place), 404, "not-found")
        assert_problem(await admin.put(place, json=HERO), 404, "not-found")
