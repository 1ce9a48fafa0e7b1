"""Where the process that runs jobs is wired: settings in, an engine out."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from catalog.adapters.in_process_engine import InProcessEngine
from catalog.caches import tasks as caches
from catalog.conversions import tasks as conversions
from catalog.imports import tasks as imports
from catalog.jobs.ports import EngineOptions, JobEngine
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.schedules import Recurring
from catalog.pipeline import tasks as pipeline
from catalog.platform import open_platform
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.scanning import tasks as scanning
from catalog.search import tasks as search
from catalog.settings import tasks as settings_tasks
from catalog.trash import tasks as trash
from catalog.uploads import tasks as uploads
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics

log = structlog.get_logger("darkroom.jobs")

Register = Callable[[HandlerRegistry, Platform], None]

KINDS: Final[Sequence[Register]] = (
    caches.register,
    conversions.register,
    imports.register,
    pipeline.register,
    scanning.register,
    settings_tasks.register,
    trash.register,
    uploads.register,
)
"""What each noun's `tasks.py` brings: a function that registers its kinds of jobs."""
SCHEDULES: Final[Sequence[Recurring]] = (search.SWEEP, trash.EXPIRY, uploads.SCHEDULE)
"""What starts by itself, once per period in the whole installation."""


def handlers_of(platform: Platform, kinds: Sequence[Register] = KINDS) -> HandlerRegistry:
    """Return the handlers of all kinds of jobs."""
    registry = HandlerRegistry()
    for register in kinds:
        register(registry, platform)
    return registry


def create_engine(
    settings: Settings,
    database: Database,
    handlers: HandlerRegistry,
    schedules: Sequence[Recurring] = SCHEDULES,
    options: EngineOptions | None = None,
) -> JobEngine:
    """Return the engine that the settings ask for, not yet started: docket where there is a Redis, else in process."""
    options = options or EngineOptions(
        concurrency=settings.job_concurrency, lease_s=settings.job_lease_s, stop_s=settings.drain_s
    )
    if not settings.redis_url:
        return InProcessEngine(database, handlers, options, schedules)
    from catalog.adapters.docket_engine import DocketEngine  # noqa: PLC0415 - slow to import, and not always needed

    return DocketEngine(database, handlers, settings.redis_url, options, schedules)


@asynccontextmanager
async def running(engine: JobEngine) -> AsyncIterator[JobEngine]:
    """Run an engine during the block."""
    engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def work(settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT."""
    async with open_platform(settings, Metrics()) as opened:
        platform = opened.platform
        await run_until_stopped(create_engine(settings, platform.database, handlers_of(platform)))


async def run_until_stopped(engine: JobEngine) -> None:
    """Run an engine until SIGTERM or SIGINT; then let running jobs finish in time and give the others back."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(engine):
        log.info("working")
        await stop.wait()
        log.info("stopping")
