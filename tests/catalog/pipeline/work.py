"""Running the pipeline's jobs of a test, and renderers that fail on purpose."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlmodel import col, select

from catalog.jobs.ports import EngineOptions
from catalog.pipeline.service import PROCESSED
from catalog.ports import Platform, Renderer
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.worker import create_engine, handlers_of, running
from proxy.core.media.derivative import Derivative
from proxy.core.url.link import Link

OPTIONS = EngineOptions(concurrency=2, poll_s=0.1, sweep_s=0.1, retry_pause_s=0.05)
PATIENCE_S = 60.0


class FailingRenderer:
    """Renders, but raises for links that a test picks; it counts what was asked of it."""

    def __init__(self, renderer: Renderer, error_for: Callable[[str, int], Exception | None]) -> None:
        self._renderer = renderer
        self._error_for = error_for
        self.asked: list[tuple[str, str]] = []

    async def render(self, link: Link, accept: str = "") -> Derivative:
        """Fail or render."""
        self.asked.append((link.recipe, accept))
        times = sum(recipe == link.recipe for recipe, _ in self.asked)
        if (error := self._error_for(link.recipe, times)) is not None:
            raise error
        return await self._renderer.render(link, accept)

    render_in_background = render


async def run_jobs(platform: Platform, renderer: Renderer | None = None) -> list[Job]:
    """Run all jobs to their ends and return them in the order in which they were queued."""
    platform = platform if renderer is None else replace(platform, renderer=renderer)
    engine = create_engine(platform.settings, platform.database, handlers_of(platform), (), OPTIONS)
    async with running(engine), asyncio.timeout(PATIENCE_S):
        while True:
            jobs = await jobs_of(platform.database)
            if all(job.finished_at is not None for job in jobs):
                return jobs
            await asyncio.sleep(0.05)


async def jobs_of(database: Database) -> list[Job]:
    """Return all jobs in the order in which they were queued."""
    async with database.reading() as session:
        return list(await session.scalars(select(Job).order_by(col(Job.created_at), col(Job.id))))


async def image_of(database: Database, identifier: str) -> Image:
    """Return an image's row."""
    async with database.reading() as session:
        return await session.get_one(Image, identifier)


async def events_of(database: Database, action: str = PROCESSED) -> list[AuditEvent]:
    """Return the audit events of an action, the oldest first."""
    async with database.reading() as session:
        query = select(AuditEvent).where(AuditEvent.action == action).order_by(col(AuditEvent.id))
        return list(await session.scalars(query))
