"""The sweep of the index: images that are not in it, after an upgrade or a restored backup, are indexed."""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.jobs.schedules import Recurring
from catalog.search.indexing import find_unindexed, index_image

_A_RUN: Final = 200


async def index_missing(session: AsyncSession) -> None:
    """Index some of the images that are missing in the index."""
    for image in await find_unindexed(session, _A_RUN):
        await index_image(session, image)


SWEEP: Final = Recurring("search.index", timedelta(minutes=10), index_missing)
