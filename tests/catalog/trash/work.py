"""Running jobs in tests, and looking at what they leave."""

from datetime import datetime

import httpx
from sqlmodel import col, select

from catalog.jobs.claim import claim
from catalog.jobs.execution import Execution
from catalog.pipeline.service import KIND as PIPELINE
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.job import Job
from catalog.records.refused_original import RefusedOriginal
from catalog.worker import handlers_of
from proxy.app import DeliveryApp
from proxy.core.errors import NotFound
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import Originals
from tests.catalog.jobs.kinds import OPTIONS
from tests.catalog.samples import ACME
from tests.http.world import HOST, Received, call

BASE = "https://img.example.com"


async def run_due(platform: Platform, at: datetime | None = None) -> list[str]:
    """Run the jobs that are due, one after the other, until none is left; return their kinds, but the pipeline's."""
    registry = handlers_of(platform)
    kinds: list[str] = []
    while True:
        async with platform.database.writing() as session:
            claimed = await claim(session, "tests", 1, at=at)
        if not claimed:
            return kinds
        if claimed[0].kind != PIPELINE:
            kinds.append(claimed[0].kind)
        await Execution(platform.database, registry, OPTIONS, claimed[0]).run()


async def jobs_of(database: Database, kind: str) -> list[Job]:
    """Return the jobs of a kind in their order."""
    async with database.reading() as session:
        return list(await session.scalars(select(Job).where(Job.kind == kind).order_by(col(Job.id))))


async def picture_of(platform: Platform, url: str, method: str = "GET", *fields: tuple[bytes, bytes]) -> Received:
    """Request a signed URL of delivery, which has read what is refused just now."""
    app = platform.renderer
    assert isinstance(app, DeliveryApp)
    await app.refused_originals.read()
    return await call(app, url.removeprefix(BASE), method, (HOST, *fields))


async def is_refused(database: Database, original: str, tenant: TenantName = ACME) -> bool:
    """Return whether delivery is told to refuse an original."""
    async with database.reading() as session:
        row = await session.get(RefusedOriginal, (tenant, original))
        return row is not None and row.refused


async def is_stored(originals: Originals, original: str, tenant: TenantName = ACME) -> bool:
    """Return whether an original can be opened, its bytes whole."""
    try:
        (await originals.open(tenant, Digest(original))).close()
    except NotFound:
        return False
    return True


async def gone(client: httpx.AsyncClient, place: str, **query: str) -> httpx.Response:
    """Delete an image."""
    return await client.delete(place, params=query)
