"""Refusals: which originals delivery must not show, as one rule over the records.

The rule: an original is refused when images stand or stood on it and none of them is served. Whoever changes what an
image stands on, or whether it is served, locks the originals (`lock_originals`), makes the change, and applies the rule
(`refresh_refusals`) in the same transaction. The locks come before those of images, everywhere in one order.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, tuple_, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col, select, update

from catalog.core.image_status import SERVED
from catalog.records.base import UtcDateTime
from catalog.records.database import Database
from catalog.records.image import Image, ImageVersion
from catalog.records.original import Original
from catalog.records.refused_original import RefusedOriginal
from catalog.records.render_records import insert
from catalog.records.tenant_scope import every_tenant
from catalog.records.watermark import Watermark
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import OriginalChange, OriginalName


class _Clock(FunctionElement[datetime]):
    """The database's own time at this moment: one clock for all servers."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(_Clock, "postgresql")
def _postgresql_clock(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return "clock_timestamp()"


@compiles(_Clock, "sqlite")
def _sqlite_clock(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    # as SQLAlchemy writes a moment, so that texts compare as moments do
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@dataclass(frozen=True, slots=True)
class SqlRefusals:
    """The port `Refusals` on the catalog's database."""

    database: Database

    async def now(self) -> datetime:
        """Return the database's time."""
        with every_tenant():
            async with self.database.reading() as session:
                return (await session.execute(select(_Clock()))).scalar_one()

    async def changes(
        self, since: datetime | None, after: OriginalChange | None, limit: int
    ) -> Sequence[OriginalChange]:
        """Return a page of changes, the oldest first."""
        query = select(RefusedOriginal).order_by(
            col(RefusedOriginal.changed_at), col(RefusedOriginal.tenant), col(RefusedOriginal.original)
        )
        if since is not None:
            query = query.where(col(RefusedOriginal.changed_at) >= since)
        if after is not None:
            place = tuple_(col(RefusedOriginal.changed_at), col(RefusedOriginal.tenant), col(RefusedOriginal.original))
            query = query.where(place > tuple_(after.changed_at, *after.name))
        with every_tenant():
            async with self.database.reading() as session:
                rows = (await session.scalars(query.limit(limit))).all()
        return [
            OriginalChange(OriginalName(TenantName(row.tenant), Digest(row.original)), row.refused, row.changed_at)
            for row in rows
        ]


async def lock_originals(session: AsyncSession, tenant: TenantName, originals: Collection[str]) -> set[str]:
    """Lock originals until the transaction ends, in one order; return those that have a row."""
    query = select(Original.sha256).where(Original.tenant == tenant, col(Original.sha256).in_(originals))
    return set(await session.scalars(query.order_by(col(Original.sha256)).with_for_update()))


async def originals_of(session: AsyncSession, tenant: TenantName, image: str) -> set[str]:
    """Return the originals that an image stands on and stood on."""
    current = select(Image.original).where(Image.tenant == tenant, Image.id == image)
    former = select(ImageVersion.original).where(ImageVersion.tenant == tenant, ImageVersion.image == image)
    return set((await session.execute(union(current, former))).scalars())


async def refresh_refusals(session: AsyncSession, tenant: TenantName, originals: Collection[str]) -> None:
    """Apply the rule to originals that the caller has locked, whose images have just changed."""
    await session.flush()
    served = await _served(session, tenant, originals)
    for original in sorted(originals):
        await _write(session, tenant, original, refused=original not in served)


async def touch_original(session: AsyncSession, tenant: TenantName, original: str) -> None:
    """Have all nodes drop the original's derivatives from their memory; whether it is refused stays as it is."""
    statement = insert(session, RefusedOriginal).values(
        tenant=tenant, original=original, refused=False, changed_at=_Clock()
    )
    same = statement.on_conflict_do_update(index_elements=["tenant", "original"], set_={"changed_at": _Clock()})
    await session.execute(same)


async def stands(session: AsyncSession, tenant: TenantName, original: str, *, with_watermarks: bool = True) -> bool:
    """Return whether an image, one of its versions, or a watermark stands on an original."""
    claims = [
        exists().where(col(Image.tenant) == tenant, col(Image.original) == original),
        exists().where(col(ImageVersion.tenant) == tenant, col(ImageVersion.original) == original),
    ]
    if with_watermarks:
        claims.append(exists().where(col(Watermark.tenant) == tenant, col(Watermark.original) == original))
    return bool((await session.execute(select(or_(*claims)))).scalar_one())


async def is_refused(session: AsyncSession, tenant: TenantName, original: str) -> bool:
    """Return whether an original is refused."""
    row = await session.get(RefusedOriginal, (tenant, original))
    return row is not None and row.refused


async def _served(session: AsyncSession, tenant: TenantName, originals: Collection[str]) -> set[str]:
    """Return which originals are, or were, the bytes of an image that is served."""
    states = [status.value for status in SERVED]
    mine = (col(Image.tenant) == tenant, col(Image.status).in_(states))
    current = select(Image.original).where(*mine, col(Image.original).in_(originals))
    former = (
        select(ImageVersion.original)
        .join(Image, col(Image.id) == col(ImageVersion.image))
        .where(*mine, col(ImageVersion.original).in_(originals))
    )
    return set((await session.execute(union(current, former))).scalars())


async def _write(session: AsyncSession, tenant: TenantName, original: str, *, refused: bool) -> None:
    """Write the state of an original, where it differs. One that was never refused needs no row to be delivered."""
    mine = (col(RefusedOriginal.tenant) == tenant, col(RefusedOriginal.original) == original)
    if not refused:
        lifted = update(RefusedOriginal).where(*mine, col(RefusedOriginal.refused))
        await session.execute(lifted.values(refused=False, changed_at=_Clock()))
        return
    statement = insert(session, RefusedOriginal).values(
        tenant=tenant, original=original, refused=True, changed_at=_Clock()
    )
    again = statement.on_conflict_do_update(
        index_elements=["tenant", "original"],
        set_={"refused": True, "changed_at": _Clock()},
        where=~col(RefusedOriginal.refused),
    )
    await session.execute(again)
