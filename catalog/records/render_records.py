"""The ledger: what delivery learns, written down behind the replies.

Every render that was ever seen can be written again: the first row of a key stays. Rows go in sorted by key,
originals before derivatives, so two processes that write overlapping batches wait for each other in one order and
never in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col, select

from catalog.records.database import Database
from catalog.records.tables import Derivative, Original, Tenant
from proxy.core.identifiers import Digest, TenantName, split_derivative_key
from proxy.core.media.facts import Facts
from proxy.ports import RenderRecord


@dataclass(frozen=True, slots=True)
class SqlRenderRecords:
    """The `RenderRecords` port on the catalog's database."""

    database: Database

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        """Write the batch in one transaction, with the facts of originals that no upload has told us of.

        Renders of tenants that are gone are left out: they would cost the others their rows.
        """
        async with self.database.writing() as session:
            known = await _known(session, {one.tenant for one in batch})
            kept = [one for one in batch if one.tenant in known]
            if not kept:
                return
            originals = {(one.tenant, one.original): one.facts for one in kept}
            derivatives = {one.key: one for one in kept}
            await put_first(session, Original, [original_row(*key, originals[key]) for key in sorted(originals)])
            await put_first(session, Derivative, [_derivative_row(derivatives[key]) for key in sorted(derivatives)])


def original_row(tenant: TenantName, digest: Digest, facts: Facts) -> Original:
    """Give an original's record as its facts tell it; its file's size and name are None."""
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
    """Give an INSERT that knows ON CONFLICT, which both databases spell alike and SQLAlchemy in two classes."""
    table = inspect(model).local_table
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


async def put_first(session: AsyncSession, model: type[SQLModel], rows: Sequence[SQLModel]) -> None:
    """Write rows whose key is not there yet."""
    await session.execute(insert(session, model).on_conflict_do_nothing(), [one.model_dump() for one in rows])


async def _known(session: AsyncSession, names: set[TenantName]) -> set[str]:
    return set(await session.scalars(select(Tenant.name).where(col(Tenant.name).in_(names))))


def _row_key(render: RenderRecord) -> str:
    parts = split_derivative_key(render.key)
    return f"{parts.tenant}/{parts.original}/{parts.variant}"


def _derivative_row(one: RenderRecord) -> Derivative:
    return Derivative(
        key=_row_key(one),
        tenant=one.tenant,
        original=one.original,
        recipe=one.recipe,
        format=one.derivative_format,
        width=one.width,
        height=one.height,
        size_bytes=one.size_bytes,
        render_ms=one.render_s * 1_000,
    )
