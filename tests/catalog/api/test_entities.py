"""Images of entities over the API: order, exactly one primary image, ownership."""

import asyncio
import random

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from catalog.core.roles import Role
from catalog.records.database import Database
from catalog.records.entity import EntityLink
from catalog.records.image import Image
from proxy.core.errors import Unavailable
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ZOO, add_images

PLACE = "/api/images/entity/product/42"
WRITERS = 50


def link_of(image: str, entity: str = "product/42") -> str:
    return f"/api/images/{image}/entities/{entity}"


async def send(client: httpx.AsyncClient, method: str, place: str, body: object = None) -> httpx.Response:
    """Send a request, again while the answer is 503: on a busy machine, fifty wait too long for ten connections."""
    while True:
        answer = await client.request(method, place, json=body)
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(0.1)


async def order_of(client: httpx.AsyncClient) -> tuple[list[str], str | None]:
    answer = (await client.get(PLACE)).json()
    return [image["id"] for image in answer["items"]], answer["primary"]


async def test_images_are_linked_moved_ordered_and_unlinked(client_of: ClientOf, database: Database) -> None:
    editor, viewer = await client_of(Role.EDITOR), await client_of(Role.VIEWER)
    a, b, c = await add_images(database, 3)
    assert await order_of(viewer) == ([], None)
    linked = await editor.put(link_of(a))
    assert linked.status_code == 200, linked.text
    assert linked.json()["entities"] == [{"type": "product", "id": "42", "position": 0, "primary": True}]
    assert linked.headers["etag"] == f'"{a}-2"'
    assert (await editor.put(link_of(a), json={})).headers["etag"] == f'"{a}-2"'
    await editor.put(link_of(b))
    await editor.put(link_of(c), json={"position": 0, "primary": True})
    assert await order_of(viewer) == ([c, a, b], c)
    ordered = await editor.put(f"{PLACE}/order", json={"ids": [b, a, c]})
    assert ordered.json() == {"type": "product", "id": "42", "primary": c, "ids": [b, a, c]}
    assert ordered.headers["etag"] == (await viewer.get(PLACE)).headers["etag"]
    for wrong in ([b, a], [b, a, c, c], [a, b, a]):
        assert_problem(await editor.put(f"{PLACE}/order", json={"ids": wrong}), 409, "conflict")
    assert (await editor.put(f"{PLACE}/primary", json={"id": a})).json()["primary"] == a
    assert (await editor.delete(link_of(a))).status_code == 204
    assert await order_of(viewer) == ([b, c], c)
    assert_problem(await editor.delete(link_of(a)), 404, "not-found")
    assert_problem(await editor.put(f"{PLACE}/primary", json={"id": a}), 409, "conflict")


async def test_a_list_is_paged(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    images = await add_images(database, 3)
    for image in images:
        await editor.put(link_of(image))
    first = (await editor.get(f"{PLACE}?limit=2")).json()
    rest = (await editor.get(PLACE, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [image["id"] for image in first["items"] + rest["items"]] == images
    assert (first["primary"], rest["primary"], rest["next_cursor"]) == (images[0], images[0], None)
    cursor = {"cursor": first["next_cursor"]}
    assert_problem(await editor.get("/api/images/entity/product/43", params=cursor), 400, "invalid-cursor")


async def test_changes_of_another_version_are_refused(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    a, b = await add_images(database, 2)
    etag = (await editor.put(link_of(a))).headers["etag"]
    assert_problem(await editor.put(link_of(a), headers={"if-match": '"x"'}), 412, "precondition-failed")
    assert_problem(await editor.delete(link_of(a), headers={"if-match": '"x"'}), 412, "precondition-failed")
    assert (await editor.put(link_of(a), headers={"if-match": etag})).status_code == 200
    order = (await editor.get(PLACE)).headers["etag"]
    await editor.put(link_of(b))
    for place, body in ((f"{PLACE}/order", {"ids": [b, a]}), (f"{PLACE}/primary", {"id": b})):
        assert_problem(await editor.put(place, json=body, headers={"if-match": order}), 412, "precondition-failed")
        current = (await editor.get(PLACE)).headers["etag"]
        assert (await editor.put(place, json=body, headers={"if-match": current})).status_code == 200


async def test_contributors_link_their_own_and_others_nothing(client_of: ClientOf) -> None:
    owner, other = await client_of(Role.CONTRIBUTOR), await client_of(Role.CONTRIBUTOR)
    image = (await upload(owner, picture())).json()["id"]
    assert (await owner.put(link_of(image))).status_code == 200
    assert_problem(await other.put(link_of(image)), 403, "not-permitted")
    assert_problem(await other.delete(link_of(image)), 403, "not-permitted")
    assert_problem(await (await client_of(Role.VIEWER)).put(link_of(image)), 403, "not-permitted")
    assert_problem(await owner.put(f"{PLACE}/primary", json={"id": image}), 403, "not-permitted")
    zoo = await client_of(Role.EDITOR, ZOO)
    assert_problem(await zoo.put(link_of(image)), 404, "not-found")
    assert await order_of(zoo) == ([], None)
    assert_problem(await zoo.put(f"{PLACE}/order", json={"ids": [image]}), 409, "conflict")


async def test_images_in_the_trash_are_not_changed(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    [image] = await add_images(database, 1)
    await editor.put(link_of(image))
    async with database.writing() as session:
        await session.execute(update(Image).where(col(Image.id) == image).values(status="trashed"))
    assert_problem(await editor.put(link_of(image, "product/43")), 409, "conflict")
    assert_problem(await editor.delete(link_of(image)), 409, "conflict")


@pytest.mark.parametrize("entity", ["pro duct/42", "product/a%00b", "PRODUCT/42", f"{'p' * 65}/42", f"p/{'4' * 256}"])
async def test_names_of_entities_are_checked(client_of: ClientOf, database: Database, entity: str) -> None:
    editor = await client_of(Role.EDITOR)
    [image] = await add_images(database, 1)
    assert_problem(await editor.put(link_of(image, entity)), 404, "not-found")
    assert_problem(await editor.get(f"/api/images/entity/{entity}"), 404, "not-found")


@pytest.mark.parametrize("body", [{"position": -1}, {"position": 10_001}, {"primary": "x"}, {"ids": []}, []])
async def test_bad_links_are_refused(client_of: ClientOf, database: Database, body: object) -> None:
    [image] = await add_images(database, 1)
    assert_problem(await (await client_of(Role.EDITOR)).put(link_of(image), json=body), 422, "validation")


async def test_an_entity_named_like_a_route_is_ordered(client_of: ClientOf, database: Database) -> None:
    """`/api/images/entity/entities/x/order` has the shape of a link of an image `entity`, too."""
    editor = await client_of(Role.EDITOR)
    [image] = await add_images(database, 1)
    await editor.put(link_of(image, "entities/x"))
    assert (await editor.put("/api/images/entity/entities/x/order", json={"ids": [image]})).json()["ids"] == [image]


async def test_fifty_writers_leave_exactly_one_primary_at_every_moment(client_of: ClientOf, database: Database) -> None:
    """Some link, some unlink, some choose and some order; a reader looks at every commit."""
    editor = await client_of(Role.EDITOR)
    images = await add_images(database, 5)
    chance, done = random.Random(7), False

    async def write(number: int) -> httpx.Response:
        image = images[number % len(images)]
        verb = chance.choice(["link", "unlink", "primary", "order"])
        if verb == "unlink":
            return await send(editor, "DELETE", link_of(image))
        if verb == "primary":
            return await send(editor, "PUT", f"{PLACE}/primary", {"id": image})
        if verb == "order":
            ids = [item["id"] for item in (await send(editor, "GET", PLACE)).json()["items"]]
            return await send(editor, "PUT", f"{PLACE}/order", {"ids": chance.sample(ids, len(ids))})
        return await send(editor, "PUT", link_of(image), {"position": 0, "primary": chance.random() < 0.5})

    async def watch() -> int:
        looks = 0
        while not done:
            await asyncio.sleep(0)
            try:
                async with database.reading() as session:
                    rows = (await session.scalars(select(EntityLink))).all()
            except Unavailable:
                continue
            assert sum(row.is_primary for row in rows) == (1 if rows else 0)
            looks += 1
        return looks

    watcher = asyncio.create_task(watch())
    answers = await asyncio.gather(*(write(number) for number in range(WRITERS)))
    done = True
    assert await watcher > 1
    # 503 where a busy machine made a writer wait for a connection for too long: nothing is written then
    assert {answer.status_code for answer in answers} <= {200, 204, 404, 409, 503}
    assert sum(answer.status_code < 300 for answer in answers) > WRITERS // 4
    async with database.reading() as session:
        positions = await session.scalars(select(EntityLink.position).order_by(col(EntityLink.position)))
        assert list(positions) == list(range(len((await order_of(editor))[0])))
