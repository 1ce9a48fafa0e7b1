"""Images over the API: lists, metadata, downloads."""

from typing import Any

import pytest

from catalog.core.roles import Role
from catalog.records.database import Database
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ZOO, add_images

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


async def test_a_list_is_paged_from_the_newest(client_of: ClientOf, database: Database) -> None:
    made = await add_images(database, 5)
    await add_images(database, 1, ZOO)
    viewer = await client_of(Role.VIEWER)
    first = (await viewer.get("/api/images?limit=3")).json()
    rest = (await viewer.get("/api/images", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [image["id"] for image in first["items"] + rest["items"]] == sorted(made, reverse=True)
    assert rest["next_cursor"] is None
    assert_problem(await viewer.get("/api/images?surprise=1"), 422, "validation")


async def test_an_image_is_read_with_its_tag(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    place = (await upload(client, picture())).headers["location"]
    etag = (await client.get(place)).headers["etag"]
    assert (await client.get(place, headers={"if-none-match": etag})).status_code == 304
    assert (await client.get(place, headers={"if-none-match": '"x"'})).status_code == 200
    for identifier in (UNKNOWN, "x", "%00", "x" * 60):
        assert_problem(await client.get(f"/api/images/{identifier}"), 404, "not-found")
    assert_problem(await client.get(place, headers={"authorization": ""}), 401, "unauthenticated")


async def test_metadata_is_merged_replaced_and_guarded_by_its_version(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    fields: dict[str, Any] = {"title": "Chair", "tags": ["blue", "oak"], "metadata": '{"a": 1, "b": {"c": 2}}'}
    created = await upload(client, picture(), **fields)
    place, etag = f"{created.headers['location']}/metadata", created.headers["etag"]
    patch = {"title": None, "alt_text": "A chair", "tags": ["oak"], "metadata": {"a": None, "b": {"d": 3}}}
    answer = await client.patch(place, json=patch | {"focus": {"x": 0.1}}, headers={"if-match": etag})
    assert answer.status_code == 200, answer.text
    image = answer.json()
    assert (image["title"], image["alt_text"], image["tags"]) == (None, "A chair", ["oak"])
    assert (image["metadata"], image["focus"]) == ({"b": {"c": 2, "d": 3}}, {"x": 0.1, "y": 0.5})
    assert (image["version"], answer.headers["etag"]) == (2, etag.replace('-1"', '-2"'))
    assert_problem(await client.patch(place, json=patch, headers={"if-match": etag}), 412, "precondition-failed")
    assert (await client.patch(place, json={})).json()["version"] == 2
    replaced = (await client.put(place, json={"caption": "Only this"})).json()
    assert (replaced["caption"], replaced["alt_text"], replaced["tags"]) == ("Only this", "", [])
    assert (replaced["metadata"], replaced["focus"]) == ({}, {"x": 0.5, "y": 0.5})


async def test_contributors_change_only_their_own_and_viewers_nothing(client_of: ClientOf) -> None:
    owner, other = await client_of(Role.CONTRIBUTOR), await client_of(Role.CONTRIBUTOR)
    place = f"{(await upload(owner, picture())).headers['location']}/metadata"
    assert_problem(await other.patch(place, json={"title": "x"}), 403, "not-permitted")
    assert_problem(await (await client_of(Role.VIEWER)).put(place, json={}), 403, "not-permitted")
    assert_problem(await (await client_of(Role.EDITOR, ZOO)).put(place, json={}), 404, "not-found")
    assert (await (await client_of(Role.EDITOR)).patch(place, json={"title": "x"})).json()["title"] == "x"


@pytest.mark.parametrize(
    "body",
    [
        {"title": "a\0b"},
        {"title": 5},
        {"alt_text": "x" * 2_001},
        {"tags": ["x" * 65]},
        {"tags": "x"},
        {"metadata": []},
        {"metadata": {"a": 2**70}},
        {"metadata": {"": 1}},
        {"focus": {"x": 1.5, "y": 0}},
        {"status": "ready"},
        [],
    ],
)
async def test_bad_metadata_is_refused(client_of: ClientOf, body: Any) -> None:  # noqa: ANN401 - any JSON
    client = await client_of(Role.CONTRIBUTOR)
    place = f"{(await upload(client, picture())).headers['location']}/metadata"
    assert_problem(await client.put(place, json=body), 422, "validation")
    assert_problem(await client.patch(place, json=body), 422, "validation")


async def test_metadata_is_no_place_for_files(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    large = {"title": "x" * 2**20}
    assert_problem(await client.put(f"/api/images/{UNKNOWN}/metadata", json=large), 413, "too-large")


async def test_editors_download_the_original(client_of: ClientOf) -> None:
    contributor, body = await client_of(Role.CONTRIBUTOR), picture()
    place = f"{(await upload(contributor, body, 'Stühle.jpg')).headers['location']}/original"
    answer = await (await client_of(Role.EDITOR)).get(place)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-type"] == "image/jpeg"
    disposition = "attachment; filename=\"St_hle.jpg\"; filename*=UTF-8''St%C3%BChle.jpg"
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["content-length"] == str(len(body))
    assert_problem(await contributor.get(place), 403, "not-permitted")
    assert_problem(await (await client_of(Role.EDITOR, ZOO)).get(place), 404, "not-found")
