"""Searching: one suite, the same answers on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from catalog.core.search.parser import parse
from catalog.records.collection import Collection
from catalog.records.database import Database
from catalog.records.entity import Entity, EntityLink
from catalog.records.image import Image, ImageTag
from catalog.records.uuid7 import new_uuid
from catalog.search.indexing import find_unindexed, index_image, remove_from_index
from catalog.search.orders import ORDERS, read_order, read_position
from catalog.search.service import compile_search, count_images, find_images
from proxy.core.identifiers import TenantName
from tests.catalog.samples import ACME, ZOO, add_tenants

NOW = datetime.now(UTC)
GARDEN = new_uuid()

PICTURES: dict[str, dict[str, Any]] = {
    "chair": {
        "file_name": "IMG_1234.jpg",
        "title": "Blue garden chair",
        "alt_text": "A chair on the lawn",
        "tags": ("blue", "Garden Furniture"),
        "custom": {"sku": "42", "maker": {"name": "Möbel Löwe"}},
        "media_type": "image/jpeg",
        "size_bytes": 2_500_000,
        "width": 3000,
        "height": 2000,
        "colors": ["#1e4bd2", "#2e8b3a"],
        "quality_score": 82,
        "taken_at": datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC),
        "created_by": "token:ann",
        "collection": GARDEN,
        "phash": "ffff0000ffff0000",
    },
    "chairs": {
        "file_name": "stühle.png",
        "title": "Zwei Stühle",
        "caption": "Der blaue Stuhl und der rote Stuhl im Café",
        "tags": ("red", "café"),
        "media_type": "image/png",
        "size_bytes": 900_000,
        "width": 800,
        "height": 1200,
        "colors": ["#d2281e"],
        "quality_score": 40,
        "taken_at": datetime(2025, 7, 1, tzinfo=UTC),
        "created_by": "token:bob",
        "phash": "ffff0000ffff0001",
    },
    "lamp": {
        "file_name": "lamp 日本.webp",
        "title": None,
        "tags": (),
        "media_type": "image/webp",
        "size_bytes": 10_000,
        "width": 500,
        "height": 500,
        "colors": ["#f5dc28"],
        "created_by": "jwt:carl",
        "phash": "0123456789abcdef",
    },
    "gone": {"file_name": "old chair.gif", "media_type": "image/gif", "status": "trashed", "width": 10, "height": 10},
}


@pytest.fixture
async def images(database: Database) -> dict[str, str]:
    """Write the pictures, the first the oldest; return their ids by name. Another tenant has a blue chair as well."""
    await add_tenants(database)
    async with database.writing() as session:
        session.add(Collection(id=GARDEN, tenant=ACME, name="Garden", description="", created_by="token:ann"))
        await session.flush()
        identifiers = {}
        for age, (name, values) in enumerate(reversed(PICTURES.items())):
            identifiers[name] = await _add(session, ACME, NOW - timedelta(days=10 - age), **values)
        await _add(session, ZOO, NOW, title="Blue chair of the zoo", tags=("blue",))
        session.add(Entity(tenant=ACME, type="product", id="42"))
        await session.flush()
        session.add(
            EntityLink(
                tenant=ACME, type="product", entity="42", image=identifiers["chair"], position=0, is_primary=True
            )
        )
    return identifiers


async def _add(session: Any, tenant: TenantName, created_at: datetime, **values: Any) -> str:  # noqa: ANN401 - columns
    tags = values.pop("tags", ())
    row = {"status": "ready", "media_type": "image/jpeg", "size_bytes": 1, "width": 1, "height": 1, "created_by": "x"}
    image = Image(id=new_uuid(), tenant=tenant, original=new_uuid(), **{**row, **values})
    image.created_at = image.updated_at = created_at
    if image.phash is not None:
        bands = (int(image.phash[at : at + 4], 16) - 0x8000 for at in (0, 4, 8, 12))
        image.phash_0, image.phash_1, image.phash_2, image.phash_3 = bands
    session.add(image)
    await session.flush()
    session.add_all(ImageTag(tenant=tenant, tag=tag, image=image.id) for tag in tags)
    await index_image(session, image)
    return image.id


async def find(database: Database, images: dict[str, str], text: str, sort: str = "created") -> list[str]:
    """Return the names of what a search finds, in order."""
    names = {identifier: name for name, identifier in images.items()}
    async with database.reading() as session:
        search = await compile_search(session, ACME, parse(text))
        found = await find_images(session, search, read_order(sort), 50)
        assert await count_images(session, search) == len(found.images)
    return [names[image.id] for image in found.images]


SEARCHES = {
    "": ["chair", "chairs", "lamp"],
    "chair": ["chair"],
    "CHAIR": ["chair"],
    "garden chair": ["chair"],
    "chair lawn": ["chair"],
    "chair stuhl": [],
    "cha": ["chair"],
    "cha lawn": [],
    "cha* lawn": ["chair"],
    "stuhle": ["chairs"],
    "STÜHLE": ["chairs"],
    "cafe": ["chairs"],
    "löwe": ["chair"],
    "lowe": ["chair"],
    "chiar": ["chair"],
    "chaiir": ["chair"],
    "chxir lawn": ["chair"],
    "1235": [],
    "1234": ["chair"],
    "img_1234": ["chair"],
    "日": ["lamp"],
    "日本": ["lamp"],
    '"garden chair"': ["chair"],
    '"blue chair"': [],
    '"chair garden"': [],
    '"garden cha"*': ["chair"],
    '"!!!"': [],
    "chair OR lamp": ["chair", "lamp"],
    "-chair": ["chairs", "lamp"],
    "blue -lawn": [],
    "NOT (chair OR lamp)": ["chairs"],
    "title:chair": ["chair"],
    "alt:blue": [],
    "name:img": ["chair"],
    "name:im": [],
    "name:img*": ["chair"],
    "tag:blue": ["chair"],
    "tag:blu": [],
    "tag:blu*": ["chair"],
    'tag:"garden furniture"': ["chair"],
    "tag:garden": [],
    "tag:garden*": ["chair"],
    "tag:CAFE": ["chairs"],
    "-tag:blue": ["chairs", "lamp"],
    "meta.sku:42": ["chair"],
    "meta.sku:4*": ["chair"],
    "meta.sku:4": [],
    "-meta.sku:42": ["chairs", "lamp"],
    "format:png": ["chairs"],
    "width:>=800": ["chair", "chairs"],
    "width:>800": ["chair"],
    "width:500..800": ["chairs", "lamp"],
    "height:<=500": ["lamp"],
    "pixels:>1000000": ["chair"],
    "bytes:>=2mb": ["chair"],
    "bytes:10kb": ["lamp"],
    "ratio:1.4..1.6": ["chair"],
    "orientation:portrait": ["chairs"],
    "orientation:square": ["lamp"],
    "color:red": ["chairs"],
    "color:#1f4cd1": ["chair"],
    "color:black": [],
    "status:trashed": ["gone"],
    "status:trashed OR lamp": ["lamp", "gone"],
    "entity:product": ["chair"],
    "entity:product/42": ["chair"],
    "entity:product/4*": ["chair"],
    "entity:product/4": [],
    "collection:Garden": ["chair"],
    f"collection:{GARDEN}": ["chair"],
    "by:token:ann": ["chair"],
    "by:token:*": ["chair", "chairs"],
    "uploaded:30d": ["chair", "chairs", "lamp"],
    "uploaded:8d": ["chair"],
    "uploaded:<2020": [],
    "taken:2025": ["chair", "chairs"],
    "taken:2025-06": ["chair"],
    "taken:2025-06-30": ["chair"],
    "taken:>2025-06": ["chairs"],
    "taken:2025-07..2025-12": ["chairs"],
    "-taken:2025": ["lamp"],
    "taken:9999": [],
    "quality:>=50": ["chair"],
    "used:0": ["chairs", "lamp"],
    "used:>=1": ["chair"],
    "missing:title": ["lamp"],
    "missing:alt": ["chairs", "lamp"],
    "missing:tags": ["lamp"],
    "missing:entity": ["chairs", "lamp"],
    "missing:taken": ["lamp"],
    "duplicate:true": ["chair", "chairs"],
    "duplicate:false": ["lamp"],
}


async def test_searches_find_what_they_mean(database: Database, images: dict[str, str]) -> None:
    wrong = {}
    for text, expected in SEARCHES.items():
        if (found := await find(database, images, text)) != expected:
            wrong[text] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created", ["chair", "chairs", "lamp"]),
        ("-created", ["lamp", "chairs", "chair"]),
        ("name", ["chair", "lamp", "chairs"]),
        ("-name", ["chairs", "lamp", "chair"]),
        ("bytes", ["chair", "chairs", "lamp"]),
        ("width", ["chair", "chairs", "lamp"]),
        ("height", ["chair", "chairs", "lamp"]),
        ("quality", ["chair", "chairs", "lamp"]),
        ("-quality", ["lamp", "chairs", "chair"]),
        ("taken", ["chairs", "chair", "lamp"]),
        ("-taken", ["lamp", "chair", "chairs"]),
    ],
)
async def test_lists_are_ordered(database: Database, images: dict[str, str], sort: str, expected: list[str]) -> None:
    assert await find(database, images, "", sort) == expected


async def test_what_has_the_word_in_its_title_is_more_relevant(database: Database, images: dict[str, str]) -> None:
    assert await find(database, images, "blue OR blaue", "relevance") == ["chair", "chairs"]
    assert await find(database, images, "blue OR blaue", "-relevance") == ["chairs", "chair"]


@pytest.mark.parametrize("sort", [name for key in ORDERS for name in (key, f"-{key}")])
async def test_pages_hold_under_inserts(database: Database, images: dict[str, str], sort: str) -> None:
    expected = await find(database, images, "chair OR stuhl OR lamp", sort)
    names = {identifier: name for name, identifier in images.items()}
    seen: list[str] = []
    position: list[Any] | None = None
    order = read_order(sort)
    for _ in range(4):
        async with database.writing() as session:
            search = await compile_search(session, ACME, parse("chair OR stuhl OR lamp"))
            found = await find_images(session, search, order, 1, read_position(order, position))
            seen += [names[image.id] for image in found.images]
            if not found.images:
                break
            position = found.positions[-1]
            await _add(session, ZOO, NOW, title="chair")
    assert seen == expected


async def test_what_is_removed_is_not_found_and_can_be_indexed_again(
    database: Database, images: dict[str, str]
) -> None:
    async with database.writing() as session:
        await remove_from_index(session, ACME, [images["chair"]])
    assert await find(database, images, "chair") == []
    async with database.writing() as session:
        for image in await find_unindexed(session, 10):
            await index_image(session, image)
        assert await find_unindexed(session, 10) == []
    assert await find(database, images, "chair") == ["chair"]


async def test_indexing_twice_is_indexing_once(database: Database, images: dict[str, str]) -> None:
    async with database.writing() as session:
        image = await session.get_one(Image, images["chair"])
        await index_image(session, image)
        image.title = "Green bench"
        await index_image(session, image)
    assert await find(database, images, "garden", "created") == ["chair"]
    assert await find(database, images, "title:garden") == []
    assert await find(database, images, "bench") == ["chair"]
    assert await find(database, images, "duplicate:true") == ["chair", "chairs"]
