"""Facets are counted within a search, alike on both databases."""

from catalog.core.search.parser import parse
from catalog.records.database import Database
from catalog.search.facets import FACETS, count_facets
from catalog.search.service import compile_search
from tests.catalog.samples import ACME
from tests.catalog.search.test_search import images

__all__ = ["images"]


async def test_each_facet_counts_its_values(database: Database, images: dict[str, str]) -> None:
    async with database.reading() as session:
        search = await compile_search(session, ACME, parse(""))
        facets = await count_facets(session, search.condition, list(FACETS))
    assert facets == {
        "format": {"jpeg": 1, "png": 1, "webp": 1},
        "tag": {"Garden Furniture": 1, "blue": 1, "café": 1, "red": 1},
        "status": {"ready": 3},
        "entity": {"product": 1},
        "collection": {"Garden": 1},
        "orientation": {"landscape": 1, "portrait": 1, "square": 1},
        "by": {"jwt:carl": 1, "token:ann": 1, "token:bob": 1},
    }
    assert images


async def test_facets_are_counted_within_the_search(database: Database, images: dict[str, str]) -> None:
    async with database.reading() as session:
        search = await compile_search(session, ACME, parse("chair OR stuhl"))
        facets = await count_facets(session, search.condition, ["format", "orientation"])
    assert facets == {"format": {"jpeg": 1, "png": 1}, "orientation": {"landscape": 1, "portrait": 1}}
    assert images
