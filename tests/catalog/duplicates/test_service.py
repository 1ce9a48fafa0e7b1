"""Near duplicates: the index finds exactly what comparing every hash finds."""

import random

from sqlalchemy import update
from sqlmodel import col

from catalog.duplicates.service import find_duplicates
from catalog.records.database import Database
from catalog.records.image import Image
from proxy.core.identifiers import TenantName
from proxy.core.media.perceptual_hash import BITS, MAX_DISTANCE, bands, distance
from tests.catalog.samples import ACME, ZOO, add_images, add_tenants


async def add(
    database: Database, hashes: list[str | None], tenant: TenantName = ACME, status: str = "ready"
) -> list[str]:
    """Write images with these hashes and return their ids."""
    identifiers = await add_images(database, len(hashes), tenant)
    async with database.writing() as session:
        for identifier, phash in zip(identifiers, hashes, strict=True):
            parts = (None,) * 4 if phash is None else bands(phash)
            columns = {f"phash_{place}": part for place, part in enumerate(parts)}
            row = update(Image).where(col(Image.id) == identifier).values(phash=phash, status=status, **columns)
            await session.execute(row)
    return identifiers


async def found(database: Database, identifier: str, most: int = MAX_DISTANCE, limit: int = 200) -> dict[str, int]:
    async with database.reading() as session:
        image = await session.get_one(Image, identifier)
        return {match.image.id: match.distance for match in await find_duplicates(session, image, most, limit)}


async def test_the_index_finds_what_a_scan_finds(database: Database) -> None:
    await add_tenants(database)
    chance = random.Random(7)
    first = f"{chance.getrandbits(BITS):016x}"
    flipped = [sum(1 << place for place in chance.sample(range(BITS), count)) for count in range(15) for _ in range(4)]
    hashes = [first, *(f"{int(first, 16) ^ mask:016x}" for mask in flipped), f"{chance.getrandbits(BITS):016x}"]
    identifiers = await add(database, list(hashes))
    for most in (0, 3, 4, MAX_DISTANCE):
        expected = {
            identifier: distance(first, phash)
            for identifier, phash in zip(identifiers, hashes, strict=True)
            if distance(first, phash) <= most and identifier != identifiers[0]
        }
        near = await found(database, identifiers[0], most)
        assert near == expected
        assert list(near.values()) == sorted(near.values())
    assert list((await found(database, identifiers[0], limit=3)).values()) == [0, 0, 0]


async def test_other_tenants_the_trash_and_images_without_a_hash_are_left_out(database: Database) -> None:
    await add_tenants(database)
    phash = "ffff0000ffff8000"
    here, bare = await add(database, [phash, None])
    await add(database, [phash], ZOO)
    await add(database, [phash], status="trashed")
    assert await found(database, here) == {}
    assert await found(database, bare) == {}
