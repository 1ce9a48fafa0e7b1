"""Searching over the API: words, faults, order, pages, counts."""

import pytest

from catalog.core.roles import Role
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ZOO


async def test_what_is_uploaded_and_changed_is_found(client_of: ClientOf) -> None:
    editor, other = await client_of(Role.EDITOR), await client_of(Role.EDITOR, ZOO)
    chair = (await upload(editor, picture(60), "a.jpg", title="Garden chair", tags=["blue"])).json()
    lamp = (await upload(editor, picture(160), "a.jpg", title="Lamp")).json()
    await upload(other, picture(60), "a.jpg", title="Garden chair")

    async def find(q: str, **query: str) -> list[str]:
        answer = await editor.get("/api/images", params={"q": q, **query})
        assert answer.status_code == 200, answer.text
        return [image["id"] for image in answer.json()["items"]]

    assert await find("chiar") == [chair["id"]]
    assert await find("tag:blue OR lamp", sort="-created") == [chair["id"], lamp["id"]]
    await editor.patch(f"/api/images/{lamp['id']}/metadata", json={"title": "Bench", "tags": ["blue"]})
    assert await find("lamp title:lamp") == []
    assert await find("tag:blue bench") == [lamp["id"]]
    await upload(editor, picture(60), "a.jpg", tags=["wood"])
    assert await find("wood") == [chair["id"]]
    await editor.delete(f"/api/images/{chair['id']}")
    assert await find("chair") == []
    assert await find("chair status:trashed") == [chair["id"]]


async def test_counts_are_of_the_search(client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    for number in range(3):
        await upload(
            editor, picture(60 * number), "a.jpg", title="chair" if number else "lamp", tags=[f"t{number % 2}"]
        )
    answer = await editor.get("/api/images", params={"q": "chair", "total": "true", "facets": "tag,format", "limit": 1})
    document = answer.json()
    assert (document["total"], len(document["items"])) == (2, 1)
    assert document["facets"]["tag"] == {"t0": 1, "t1": 1}
    plain = (await editor.get("/api/images")).json()
    assert set(plain) == {"items", "next_cursor"}
    following = await editor.get("/api/images", params={"q": "chair", "limit": 1, "cursor": document["next_cursor"]})
    assert [len(following.json()["items"]), following.json()["next_cursor"]] == [1, None]
    other = await editor.get("/api/images", params={"q": "lamp", "cursor": document["next_cursor"]})
    assert_problem(other, 400, "invalid-cursor")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"q": "tags:blue"}, 400, "search"),
        ({"q": "a" * 1001}, 422, "validation"),
        ({"q": "("}, 400, "search"),
        ({"q": "a\0"}, 422, "validation"),
        ({"sort": "size"}, 422, "validation"),
        ({"facets": "format,size"}, 422, "validation"),
        ({"total": "perhaps"}, 422, "validation"),
        ({"status": "trashed"}, 422, "validation"),
    ],
)
async def test_bad_queries_are_refused(client_of: ClientOf, query: dict[str, str], status: int, code: str) -> None:
    viewer = await client_of(Role.VIEWER)
    answer = await viewer.get("/api/images", params=query)
    assert_problem(answer, status, code)
    if code == "search":
        assert "^" in answer.json()["fault"]
