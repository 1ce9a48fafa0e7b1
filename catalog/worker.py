"""Where the process that runs jobs is wired: settings in, an engine out."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from catalog.adapters.in_process_engine import InProcessEngine
from catalog.jobs.ports import EngineOptions, JobEngine
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.schedules import Recurring
from catalog.records.database import Database
from catalog.records.schema import open_database
from proxy.settings import Settings

log = structlog.get_logger("darkroom.jobs")

Register = Callable[[HandlerRegistry, Database, Settings], None]

KINDS: Final[Sequence[Register]] = ()
"""What each noun's `tasks.py` brings: a function that registers its kinds of jobs."""
SCHEDULES: Final[Sequence[Recurring]] = ()
"""What starts by itself, once per period in the whole installation."""


def create_engine(
    settings: Settings,
    database: Database,
    kinds: Sequence[Register] = KINDS,
    schedules: Sequence[Recurring] = SCHEDULES,
    options: EngineOptions | None = None,
) -> JobEngine:
    """Return the engine that the settings ask for, not yet started: docket where there is a Redis, else in process."""
    registry = HandlerRegistry()
    for register in kinds:
        register(registry, database, settings)
    options = options or EngineOptions(
        concurrency=settings.job_concurrency, lease_s=settings.job_lease_s, stop_s=settings.drain_s
    )
    if not settings.redis_url:
        return InProcessEngine(database, registry, options, schedules)
    from catalog.adapters.docket_engine import DocketEngine  # noqa: PLC0415 - slow to import, and not always needed

    return DocketEngine(database, registry, settings.redis_url, options, schedules)


@asynccontextmanager
async def running(engine: JobEngine) -> AsyncIterator[JobEngine]:
    """Run an engine during the block."""
    engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def work(
    settings: Settings,
    kinds: Sequence[Register] = KINDS,
    schedules: Sequence[Recurring] = SCHEDULES,
    options: EngineOptions | None = None,
) -> None:
    """Run jobs until SIGTERM or SIGINT; then let running jobs finish within their time and give the others back."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        open_database(settings) as database,
        running(create_engine(settings, database, kinds, schedules, options)),
    ):
        log.info("working")
        await stop.wait()
        log.info("stopping")
