"""URLs of images over the API: what is promised is what delivery makes."""

import re
import time
from html import unescape
from typing import Any

import httpx
import pytest
import pyvips
from sqlalchemy import update
from sqlmodel import col

from catalog.api.context import ApiContext
from catalog.core.roles import Role, Scope
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.tenants.tenant_repository import find_signer
from proxy.core.recipe.presets import parse_ladder
from proxy.core.url.link import Link, parse_target
from proxy.core.url.signing import verify
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO
from tests.catalog.services import delete_preset, put_preset

BASE = "https://img.example.com"
UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


async def linked(database: Database, url: str) -> Link:
    """Return the link of a URL, whose seal is verified."""
    assert url.startswith(f"{BASE}/t/acme/"), url
    path, _, query = url.removeprefix(BASE).partition("?")
    link = parse_target(path.encode(), query.encode())
    assert verify((await find_signer(database, ACME)).keys, link.sealed_text, link.seal or "")
    return link


async def image_of(client_of: ClientOf, body: bytes | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a form
    answer = await upload(await client_of(Role.CONTRIBUTOR), body or picture(width=900, height=600), **fields)
    assert answer.status_code == 201, answer.text
    image: dict[str, Any] = answer.json()
    return image


async def set_status(database: Database, identifier: str, **columns: Any) -> None:  # noqa: ANN401 - columns
    async with database.writing() as session:
        await session.execute(update(Image).where(col(Image.id) == identifier).values(**columns))


async def test_every_preset_has_the_size_that_delivery_makes(
    client_of: ClientOf, context: ApiContext, database: Database
) -> None:
    image = await image_of(client_of, focus="0.25,0.75")
    ladder = parse_ladder(["150", "600"], [])
    await put_preset(database, ACME, "ladder", "w300-ar2_1-webp", unsigned=True, ladder=ladder)
    await put_preset(database, ACME, "second", "page2-w50-webp")
    answer = await (await client_of(Role.VIEWER)).get(f"/api/images/{image['id']}/thumbnails")
    assert answer.status_code == 200, answer.text
    thumbnails = {thumbnail["preset"]: thumbnail for thumbnail in answer.json()["thumbnails"]}
    assert sorted(thumbnails) == sorted([*(await find_signer(database, ACME)).presets])
    assert "Page 2" in thumbnails.pop("second")["error"]
    for name in ("card", "small", "ladder", "full"):
        thumbnail = thumbnails[name]
        made = await context.platform.renderer.render(await linked(database, thumbnail["url"]))
        assert (made.width, made.height) == (thumbnail["width"], thumbnail["height"]), name
    assert thumbnails["card"]["format"] == "auto"
    assert thumbnails["ladder"]["format"] == "webp"
    assert "fp0.25_0.75" in thumbnails["card"]["url"]
    for candidate in thumbnails["ladder"]["srcset"].split(", "):
        url, descriptor = candidate.split(" ")
        assert f"{(await context.platform.renderer.render(await linked(database, url))).width}w" == descriptor
    assert [part.split(" ")[1] for part in thumbnails["ladder"]["srcset"].split(", ")] == ["150w", "600w"]
    assert [part.split(" ")[1] for part in thumbnails["card"]["srcset"].split(", ")] == ["1x", "2x"]


async def test_a_tenant_without_the_preset_preview_gets_its_recipe(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    assert (await linked(database, (await image_of(client_of))["url"])).recipe == "~preview"
    await delete_preset(database, ACME, "preview")
    platform.signers.forget(ACME)
    image = await image_of(client_of, picture(7))
    assert (await linked(database, image["url"])).recipe == "w640-h360-q85-auto"
    editor = await client_of(Role.EDITOR)
    links = (await editor.get(f"/api/images/{image['id']}/links")).json()
    assert links["url"] == image["url"]
    answer = await editor.get(f"/api/images/serve/{image['id']}")
    assert answer.headers["location"] == image["url"]


@pytest.mark.parametrize(
    ("query", "recipe"),
    [
        ("", "~preview"),
        ("size=card", "~card"),
        ("size=original", "jpeg"),
        ("size=optimized", "w500-webp"),
        ("recipe=~card", "~card"),
        ("recipe=~rung-w99", "~rung-w99"),
    ],
)
async def test_a_viewer_is_sent_to_presets(client_of: ClientOf, database: Database, query: str, recipe: str) -> None:
    image = await image_of(client_of)
    await put_preset(database, ACME, "rung", "w50-webp", unsigned=True, ladder=parse_ladder(["99"], []))
    optimized = {"recipe": "w500-webp", "media_type": "image/webp", "size_bytes": 5}
    await set_status(database, image["id"], optimized=optimized)
    answer = await (await client_of(Role.VIEWER)).get(f"/api/images/serve/{image['id']}?{query}")
    assert answer.status_code == 302, answer.text
    link = await linked(database, answer.headers["location"])
    assert (link.recipe, link.original) == (recipe, image["original"])


async def test_other_recipes_need_a_role_or_a_scope(client_of: ClientOf, database: Database) -> None:
    place = f"/api/images/serve/{(await image_of(client_of))['id']}"
    for recipe in ("w99-webp", "~card-w640", "~card-png"):
        for caller in (await client_of(Role.VIEWER), await client_of(Role.CONTRIBUTOR)):
            assert_problem(await caller.get(place, params={"recipe": recipe}), 403, "not-permitted")
        editor = await client_of(Role.EDITOR)
        link = await linked(database, (await editor.get(place, params={"recipe": recipe})).headers["location"])
        assert link.recipe == recipe
    signer = await client_of(Role.CONTRIBUTOR, ACME, Scope.READ, Scope.SIGN)
    assert (await signer.get(place, params={"recipe": "w99-webp"})).status_code == 302


async def test_bytes_are_answered_inline(client_of: ClientOf) -> None:
    image = await image_of(client_of)
    viewer, place = await client_of(Role.VIEWER), f"/api/images/serve/{image['id']}?inline=true&size="
    answer = await viewer.get(f"{place}card", headers={"accept": "image/webp"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.content[8:12] == b"WEBP"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["ratelimit-policy"].startswith('"render"')
    assert (await viewer.get(f"{place}card")).headers["content-type"] == "image/jpeg"
    tag = {"if-none-match": answer.headers["etag"], "accept": "image/webp"}
    again = await viewer.get(f"{place}card", headers=tag)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("size=nothing", 422, "validation"),
        ("size=card&recipe=~card", 422, "validation"),
        ("size=optimized", 409, "conflict"),
        ("recipe=~nothing", 400, "recipe"),
        ("recipe=webp-w5", 400, "recipe"),
        ("recipe=page9-w5&inline=true", 422, "over-limit"),
        ("inline=maybe", 422, "validation"),
    ],
)
async def test_what_cannot_be_served_is_refused(client_of: ClientOf, query: str, status: int, code: str) -> None:
    image = await image_of(client_of)
    assert_problem(await (await client_of(Role.EDITOR)).get(f"/api/images/serve/{image['id']}?{query}"), status, code)


async def test_images_that_are_not_served_get_no_urls(client_of: ClientOf, database: Database) -> None:
    image, editor = await image_of(client_of), await client_of(Role.EDITOR)
    path = f"/t/acme/{image['original']}/w5-webp"
    for status in ("trashed", "quarantined", "rejected"):
        await set_status(database, image["id"], status=status)
        for place in (f"{image['id']}/thumbnails", f"serve/{image['id']}?size=card", f"{image['id']}/links"):
            assert_problem(await editor.get(f"/api/images/{place}"), 409, "conflict")
        refused = await editor.post("/api/sign", json={"paths": [path]})
        assert_problem(refused, 422, "validation")
        assert [(error["at"], error["code"]) for error in refused.json()["errors"]] == [("/paths/0", "not-served")]


async def test_other_tenants_images_are_not_there(client_of: ClientOf) -> None:
    image, zoo = await image_of(client_of), await client_of(Role.EDITOR, ZOO)
    for identifier in (image["id"], UNKNOWN, "x"):
        for place in (f"{identifier}/thumbnails", f"serve/{identifier}", f"{identifier}/links"):
            assert_problem(await zoo.get(f"/api/images/{place}"), 404, "not-found")


async def links_of(client: httpx.AsyncClient, image: dict[str, Any], **query: str) -> dict[str, Any]:
    answer = await client.get(f"/api/images/{image['id']}/links", params=query)
    assert answer.status_code == 200, answer.text
    links: dict[str, Any] = answer.json()
    return links


async def test_links_are_html_whose_urls_delivery_answers(
    client_of: ClientOf, context: ApiContext, database: Database
) -> None:
    evil = '"><script>alert(1)</script>'
    image, editor = await image_of(client_of, alt_text=evil), await client_of(Role.EDITOR)
    links = await links_of(editor, image, recipe="w300-h200-auto", widths="300,150", sizes="(width>=9px) 50vw, 1px")
    assert (links["width"], links["height"], links["alt"], links["format"]) == (300, 200, evil, "auto")
    assert [part.split(" ")[1] for part in links["srcset"].split(", ")] == ["150w", "300w"]
    assert links["placeholder"] == image["placeholder"]
    for markup in (links["img"], links["picture"]):
        assert "<script" not in markup
        assert 'sizes="(width&gt;=9px) 50vw, 1px"' in markup
    assert re.findall(r"<(\w+)", links["picture"]) == ["picture", "source", "source", "img"]
    assert re.findall(r'type="([^"]+)"', links["picture"]) == ["image/avif", "image/webp"]
    recipes = []
    for source in re.findall(r'srcset="([^"]+)"', links["picture"]):
        url, descriptor = unescape(source).split(", ")[0].split(" ")
        link = await linked(database, url)
        made = await context.platform.renderer.render(link)
        recipes.append(link.recipe)
        assert f"{made.width}w" == descriptor
    assert recipes == ["w150-h100-avif", "w150-h100-webp", "w150-h100-jpeg"]


async def test_links_without_a_recipe_are_those_of_the_preview(client_of: ClientOf) -> None:
    image, viewer = await image_of(client_of), await client_of(Role.VIEWER)
    links = await links_of(viewer, image)
    assert links["url"] == image["url"]
    assert links["sizes"] is None
    texts = await links_of(await client_of(Role.EDITOR), image, recipe="thumbhash")
    assert (texts["img"], texts["picture"], texts["srcset"], texts["width"]) == (None, None, None, None)


async def test_an_image_with_transparency_falls_back_to_png(client_of: ClientOf) -> None:
    clear = (pyvips.Image.black(40, 30, bands=4) + 90).cast("uchar").copy(interpretation="srgb")
    contributor = await client_of(Role.CONTRIBUTOR)
    image = (await upload(contributor, bytes(clear.write_to_buffer(".png")), "a.png", "image/png")).json()
    links = await links_of(await client_of(Role.EDITOR), image, recipe="auto")
    assert re.findall(r"/auto|/png", links["picture"]) == ["/png"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"recipe": "~card", "widths": "100"}, 403, "not-permitted"),
        ({"recipe": "w5"}, 403, "not-permitted"),
        ({"widths": "0"}, 422, "validation"),
        ({"widths": "9000"}, 422, "validation"),
        ({"widths": "1,"}, 422, "validation"),
        ({"widths": ",".join(map(str, range(1, 34)))}, 422, "validation"),
        ({"sizes": "ü"}, 422, "validation"),
        ({"recipe": "w" * 2_049}, 422, "validation"),
        ({"recipe": "bogus"}, 400, "recipe"),
    ],
)
async def test_what_links_cannot_be_asked_for(
    client_of: ClientOf, query: dict[str, str], status: int, code: str
) -> None:
    image = await image_of(client_of)
    answer = await (await client_of(Role.VIEWER)).get(f"/api/images/{image['id']}/links", params=query)
    assert_problem(answer, status, code)
    if code == "recipe":
        assert answer.json()["fault"] == "bogus\n^^^^^"


async def test_paths_are_signed_in_order(client_of: ClientOf, database: Database) -> None:
    image = await image_of(client_of, focus="0.25,0.75")
    bare = "f" * 64
    paths = [
        f"/t/acme/{image['original']}/w5-webp",
        f"/t/acme/{image['original']}/~card",
        f"/t/acme/{image['original']}/w30-h5-gn",
        f"/t/acme/{bare}/w30-h5",
    ]
    expected = ["w5-webp", "~card-fp0.25_0.75", "w30-h5-gn", "w30-h5"]
    for caller in (await client_of(Role.EDITOR), await client_of(Role.VIEWER, ACME, Scope.SIGN)):
        urls = (await caller.post("/api/sign", json={"paths": paths})).json()["urls"]
        assert [(await linked(database, url)).recipe for url in urls] == expected
    before = int(time.time())
    [url] = (await caller.post("/api/sign", json={"paths": paths[:1], "expires_s": 60})).json()["urls"]
    expires = (await linked(database, url)).expires
    assert expires is not None
    assert before + 60 <= expires <= int(time.time()) + 60


async def test_a_fault_names_its_path_and_nothing_is_signed(client_of: ClientOf) -> None:
    digest = "f" * 64
    paths = [f"/t/acme/{digest}/w5", f"/t/zoo/{digest}/w5", f"/t/acme/{digest}/webp-w5", "/t", f"/t/acme/{digest}/~no"]
    answer = await (await client_of(Role.EDITOR)).post("/api/sign", json={"paths": paths})
    assert_problem(answer, 422, "validation")
    errors = {error["at"]: (error["code"], error["detail"]) for error in answer.json()["errors"]}
    codes = {at: code for at, (code, _) in errors.items()}
    assert codes == {"/paths/1": "foreign-tenant", "/paths/2": "recipe", "/paths/3": "malformed"}
    assert errors["/paths/2"][1].endswith("webp-w5\n^^^^")
    unknown = await (await client_of(Role.EDITOR)).post("/api/sign", json={"paths": [paths[0], paths[4]]})
    assert [(error["at"], error["code"]) for error in unknown.json()["errors"]] == [("/paths/1", "recipe")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"paths": []},
        {"paths": ["x"] * 1_001},
        {"paths": ["x" * 2_049]},
        {"paths": ["/t"], "expires_s": 0},
        {"paths": "/t"},
    ],
)
async def test_bad_requests_to_sign_are_refused(client_of: ClientOf, body: dict[str, Any]) -> None:
    assert_problem(await (await client_of(Role.EDITOR)).post("/api/sign", json=body), 422, "validation")


async def test_signing_needs_a_role_or_the_scope(client_of: ClientOf) -> None:
    body = {"paths": [f"/t/acme/{'f' * 64}/w5"]}
    for caller in (await client_of(Role.CONTRIBUTOR), await client_of(Role.EDITOR, ACME, Scope.READ)):
        assert_problem(await caller.post("/api/sign", json=body), 403, "not-permitted")
