"""Making the index anew: image by image, each in a transaction of its own, while the server runs."""

from collections.abc import AsyncIterator

from sqlmodel import col, select

from catalog.records.database import Database
from catalog.records.image import Image
from catalog.search.indexing import index_image
from proxy.core.identifiers import TenantName

_PAGE = 500


async def rebuild(database: Database, tenant: TenantName | None) -> AsyncIterator[str]:
    """Index all images of a tenant, or of all tenants; yield the id of each that was indexed."""
    last = ""
    while identifiers := await _page(database, tenant, last):
        for identifier in identifiers:
            async with database.writing() as session:
                query = select(Image).where(Image.id == identifier).with_for_update()
                image = (await session.scalars(query)).one_or_none()
                if image is not None:  # it may have been deleted meanwhile
                    await index_image(session, image)
                    yield identifier
        last = identifiers[-1]


async def _page(database: Database, tenant: TenantName | None, last: str) -> list[str]:
    query = select(Image.id).where(col(Image.id) > last).order_by(col(Image.id)).limit(_PAGE)
    if tenant is not None:
        query = query.where(Image.tenant == tenant)
    async with database.reading() as session:
        return list(await session.scalars(query))
