"""Near duplicates: images whose 64-bit perceptual hashes differ in few bits.

Theory. The hash is stored in four bands of 16 bits, each with an index. If two hashes differ in at most d bits, they
differ in at most d // 4 bits in one band at least. So all values of a band within that distance are looked up in the
index (137 for a distance of 2), and of the rows that this finds, the whole hashes are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Final

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.image_status import ImageStatus
from catalog.records.image import Image
from proxy.core.identifiers import TenantName
from proxy.core.media.perceptual_hash import BITS, bands, distance

MAX_CANDIDATES: Final = 20_000
"""Rows that are compared, the newest first: a tenant of a million images that all look alike has more."""
_BAND_BITS: Final = 16
_BANDS: Final = BITS // _BAND_BITS


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image, and in how many of 64 bits its hash differs."""

    image: Image
    distance: int

    @property
    def score(self) -> float:
        """How alike the images are, from 1 down."""
        return round(1 - self.distance / BITS, 4)


async def find_duplicates(session: AsyncSession, image: Image, most: int, limit: int) -> list[Duplicate]:
    """Return images of the same tenant whose hashes differ in at most `most` bits, the most alike first.

    Images in the trash are left out. An image without a hash has no duplicates.
    """
    if image.phash is None:
        return []
    near: list[tuple[int, str]] = []
    for identifier, phash in await _candidates(session, image, image.phash, most):
        bits = distance(image.phash, phash)
        if bits <= most:
            near.append((bits, identifier))
    nearest = {identifier: bits for bits, identifier in sorted(near)[:limit]}
    rows = await session.scalars(select(Image).where(col(Image.id).in_(nearest)))
    found = [Duplicate(row, nearest[row.id]) for row in rows]
    return sorted(found, key=lambda duplicate: (duplicate.distance, duplicate.image.id))


async def _candidates(session: AsyncSession, image: Image, phash: str, most: int) -> Sequence[tuple[str, str]]:
    """Return ids and hashes of images of which at least one band is near."""
    columns = (col(Image.phash_0), col(Image.phash_1), col(Image.phash_2), col(Image.phash_3))
    near = [column.in_(_within(band, most // _BANDS)) for column, band in zip(columns, bands(phash), strict=True)]
    query = (
        select(Image.id, Image.phash)
        .where(
            Image.tenant == TenantName(image.tenant),
            Image.id != image.id,
            Image.status != ImageStatus.TRASHED.value,
            or_(*near),
        )
        .order_by(col(Image.id).desc())
        .limit(MAX_CANDIDATES)
    )
    return [(identifier, other) for identifier, other in await session.execute(query) if other is not None]


def _within(band: int, bits: int) -> list[int]:
    """Return all values of a band that differ in at most `bits` bits, as the signed numbers that are stored."""
    values = [(band & 0xFFFF) ^ mask for mask in _masks(bits)]
    return [value - 0x10000 if value & 0x8000 else value for value in values]


@cache
def _masks(bits: int) -> tuple[int, ...]:
    """Return the 16-bit masks with at most that many bits set."""
    chosen = (places for count in range(bits + 1) for places in combinations(range(_BAND_BITS), count))
    return tuple(sum(1 << place for place in places) for places in chosen)
