"""Near duplicates: pairs of a tenant's images whose perceptual hashes differ in few bits.

Theory. Two hashes that differ in fewer bits than there are bands have a band in common, which an index finds. Pairs
that differ in more bits, up to MAX_DISTANCE, are found only if one of the four bands is equal: an upload must not cost
the wider look-up of `catalog.duplicates`, which a request for one image's duplicates makes.
"""

from typing import Final

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.records.image import Image
from catalog.records.render_records import insert
from catalog.records.search import NearDuplicate
from proxy.core.media.perceptual_hash import MAX_DISTANCE, distance

_MOST_CANDIDATES: Final = 500


async def index_duplicates(session: AsyncSession, image: Image) -> None:
    """Write the pairs of an image, in place of what was there."""
    pairs = or_(col(NearDuplicate.image) == image.id, col(NearDuplicate.other) == image.id)
    await session.execute(delete(NearDuplicate).where(col(NearDuplicate.tenant) == image.tenant, pairs))
    if image.phash is None:
        return
    bands = (Image.phash_0, Image.phash_1, Image.phash_2, Image.phash_3)
    own = (image.phash_0, image.phash_1, image.phash_2, image.phash_3)
    query = (
        select(Image.id, Image.phash)
        .where(
            Image.tenant == image.tenant,
            Image.id != image.id,
            or_(*(col(band) == value for band, value in zip(bands, own, strict=True))),
        )
        .order_by(col(Image.id).desc())
        .limit(_MOST_CANDIDATES)
    )
    rows = []
    for other, phash in (await session.execute(query)).all():
        bits = distance(image.phash, phash)
        if bits <= MAX_DISTANCE:
            rows += [
                {"image": first, "other": second, "tenant": image.tenant, "distance": bits}
                for first, second in ((image.id, other), (other, image.id))
            ]
    if rows:
        await session.execute(insert(session, NearDuplicate).on_conflict_do_nothing(), rows)
