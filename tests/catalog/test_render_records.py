"""Renders are recorded once, on both databases."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlmodel import select

from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.render_records import SqlRenderRecords
from catalog.records.tables import Derivative, Original, RefusedOriginal
from proxy.core.identifiers import DerivativeKey, Digest, TenantName, split_derivative_key
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.ports import RenderRecord
from tests.catalog.services import create_tenant

ACME = TenantName("acme")
FACTS = Facts(JPEG, 400, 300, orientation=6, frames=1, alpha=False, icc=True)


def rendered(text: str = "one", tenant: TenantName = ACME, recipe: str = "w320-webp") -> RenderRecord:
    """Return a render of the original named by `text`."""
    original = Digest(sha256(text.encode()).hexdigest())
    key = DerivativeKey(f"5-8.18.7/{tenant}/0/{original[:2]}/{original}/{sha256(recipe.encode()).hexdigest()}")
    return RenderRecord(tenant, original, key, recipe, FACTS, "webp", 320, 240, 12_345, 0.0425)


async def _derivatives(database: Database) -> list[Derivative]:
    async with database.reading() as session:
        return list(await session.scalars(select(Derivative).order_by(Derivative.key)))


@pytest.fixture
async def records(database: Database) -> SqlRenderRecords:
    """Return the render records of an installation with a tenant."""
    await create_tenant(database, ACME)
    return SqlRenderRecords(database)


async def test_a_render_is_written_with_the_facts_of_its_original(records: SqlRenderRecords) -> None:
    render = rendered()
    await records.record([render])
    async with records.database.reading() as session:
        original = (await session.scalars(select(Original))).one()
    assert original.model_dump(exclude={"created_at"}) == {
        "tenant": "acme",
        "sha256": render.original,
        "size_bytes": None,
        "media_type": "image/jpeg",
        "width": 400,
        "height": 300,
        "orientation": 6,
        "frames": 1,
        "alpha": False,
        "icc": True,
        "file_name": None,
        "focus": None,
    }
    [derivative] = await _derivatives(records.database)
    assert derivative.model_dump(exclude={"created_at"}) == {
        "key": f"acme/{render.original}/{split_derivative_key(render.key).variant}",
        "tenant": "acme",
        "original": render.original,
        "recipe": "w320-webp",
        "format": "webp",
        "width": 320,
        "height": 240,
        "size_bytes": 12_345,
        "render_ms": pytest.approx(42.5),
    }


async def test_the_same_render_again_is_the_first_one(records: SqlRenderRecords) -> None:
    """Twice in a batch, and again in a later one."""
    await records.record([rendered(), rendered()])
    [first] = await _derivatives(records.database)
    await records.record([replace(rendered(), size_bytes=1)])
    assert await _derivatives(records.database) == [first]


async def test_renders_of_unknown_tenants_do_not_cost_the_others_their_rows(records: SqlRenderRecords) -> None:
    await records.record([rendered(tenant=TenantName("gone")), rendered()])
    assert [row.tenant for row in await _derivatives(records.database)] == ["acme"]


async def test_a_batch_of_unknown_tenants_alone_and_an_empty_one_write_nothing(records: SqlRenderRecords) -> None:
    await records.record([rendered(tenant=TenantName("gone"))])
    await records.record([])
    assert await _derivatives(records.database) == []


async def test_a_batch_is_whole_or_not_at_all(records: SqlRenderRecords) -> None:
    """A value no database takes, in the last row, leaves none of the others."""
    with pytest.raises(Exception, match=r"(?i)null"):
        await records.record([rendered("a"), rendered("b"), replace(rendered("c"), recipe=None)])  # type: ignore[arg-type]
    assert await _derivatives(records.database) == []


async def test_a_large_batch_is_one_transaction(records: SqlRenderRecords) -> None:
    """More rows than a statement of either database has parameters."""
    batch = [rendered(recipe=f"w{width}-webp") for width in range(1, 5_001)]
    await records.record(batch)
    assert len(await _derivatives(records.database)) == 5_000


async def test_processes_that_write_the_same_batches_in_other_orders_do_not_deadlock(records: SqlRenderRecords) -> None:
    batch = [rendered(f"{number % 20}", recipe=f"w{number}-webp") for number in range(1, 101)]
    turned = (batch[start:] + batch[:start] for start in range(0, 100, 10))
    async with asyncio.timeout(60):
        await asyncio.gather(*(records.record(part) for part in turned))
    assert len(await _derivatives(records.database)) == 100


async def test_a_render_of_an_original_that_was_withdrawn_meanwhile_is_not_recorded(records: SqlRenderRecords) -> None:
    gone, lifted, other = rendered("gone"), rendered("lifted"), rendered("other")
    async with records.database.writing() as session:
        for render, refused in ((gone, True), (lifted, False)):
            row = RefusedOriginal(tenant=ACME, original=render.original, refused=refused, changed_at=now())
            session.add(row)
    await records.record([gone, lifted, other])
    assert {row.original for row in await _derivatives(records.database)} == {lifted.original, other.original}
