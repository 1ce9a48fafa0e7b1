"""Records of renders: the port by which delivery reports what it rendered.

A render may be recorded more than once; the first row of a key stays. Rows are written in the order of their keys,
originals before derivatives, so that processes which write overlapping batches cannot deadlock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import inspect, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col, select

from catalog.records.database import Database
from catalog.records.tables import Derivative, Original, RefusedOriginal, Tenant
from catalog.records.tenant_scope import every_tenant
from proxy.core.identifiers import Digest, TenantName, split_derivative_key
from proxy.core.media.facts import Facts
from proxy.ports import RenderRecord


@dataclass(frozen=True, slots=True)
class SqlRenderRecords:
    """The `RenderRecords` port on the catalog's database."""

    database: Database

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        """Write a batch in one transaction, including the facts of originals that no upload has recorded.

        Renders of deleted tenants are skipped: their foreign key would fail the whole batch. So are those of originals
        that were withdrawn meanwhile: their rows would come back.
        """
        with every_tenant():
            await self._write(batch)

    async def _write(self, batch: Sequence[RenderRecord]) -> None:
        async with self.database.writing() as session:
            tenants = await _existing_tenants(session, {render.tenant for render in batch})
            refused = await _refused(session, {(render.tenant, render.original) for render in batch})
            known = (render for render in batch if render.tenant in tenants)
            renders = [render for render in known if (render.tenant, render.original) not in refused]
            if not renders:
                return
            originals = {(render.tenant, render.original): render.facts for render in renders}
            rendered = {render.key: render for render in renders}
            await insert_missing(session, Original, [original_row(*key, originals[key]) for key in sorted(originals)])
            await insert_missing(session, Derivative, [_derivative_row(rendered[key]) for key in sorted(rendered)])


def original_row(tenant: TenantName, digest: Digest, facts: Facts) -> Original:
    """Return the row of an original with its facts; size and name of the file are None."""
    return Original(
        tenant=tenant,
        sha256=digest,
        media_type=facts.format.media_type,
        width=facts.width,
        height=facts.height,
        orientation=facts.orientation,
        frames=facts.frames,
        alpha=facts.alpha,
        icc=facts.icc,
    )


def insert(session: AsyncSession, model: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT with ON CONFLICT, which both databases spell alike and SQLAlchemy has in two classes."""
    table = inspect(model).local_table
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


async def insert_missing(session: AsyncSession, model: type[SQLModel], rows: Sequence[SQLModel]) -> None:
    """Insert rows, except those whose key exists."""
    await session.execute(insert(session, model).on_conflict_do_nothing(), [row.model_dump() for row in rows])


async def _existing_tenants(session: AsyncSession, names: set[TenantName]) -> set[str]:
    return set(await session.scalars(select(Tenant.name).where(col(Tenant.name).in_(names))))


async def _refused(session: AsyncSession, originals: set[tuple[TenantName, Digest]]) -> set[tuple[str, str]]:
    names = tuple_(col(RefusedOriginal.tenant), col(RefusedOriginal.original))
    query = select(RefusedOriginal.tenant, RefusedOriginal.original)
    rows = await session.execute(query.where(names.in_(sorted(originals)), col(RefusedOriginal.refused)))
    return {(tenant, original) for tenant, original in rows}


def _row_key(render: RenderRecord) -> str:
    parts = split_derivative_key(render.key)
    return f"{parts.tenant}/{parts.original}/{parts.variant}"


def _derivative_row(render: RenderRecord) -> Derivative:
    return Derivative(
        key=_row_key(render),
        tenant=render.tenant,
        original=render.original,
        recipe=render.recipe,
        format=render.derivative_format,
        width=render.width,
        height=render.height,
        size_bytes=render.size_bytes,
        render_ms=render.render_s * 1_000,
    )
