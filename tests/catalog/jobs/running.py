"""Running the jobs that are due, one attempt of each, without an engine."""

from collections.abc import Sequence

from sqlmodel import select

from catalog.jobs.claim import claim
from catalog.jobs.execution import Execution
from catalog.jobs.ports import EngineOptions
from catalog.pipeline.service import KIND as PIPELINE
from catalog.ports import Platform
from catalog.records.job import Job
from catalog.worker import handlers_of

OPTIONS = EngineOptions(retry_pause_s=0.0)


async def run_due(platform: Platform) -> Sequence[Job]:
    """Run one attempt of each job that is due; return all jobs but those of the pipeline, the oldest first."""
    async with platform.database.writing() as session:
        claimed = await claim(session, "tests", 100)
    for job in claimed:
        await Execution(platform.database, handlers_of(platform), OPTIONS, job).run()
    async with platform.database.reading() as session:
        return (await session.scalars(select(Job).where(Job.kind != PIPELINE).order_by(Job.id))).all()
