"""`darkroom work`: a process that runs jobs."""

import asyncio
from typing import Annotated

import typer

from catalog.cli.arguments import epilog
from catalog.cli.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command to `darkroom`."""
    app.command(epilog=epilog("darkroom work", "darkroom work --concurrency 8"))(work)


def work(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=256, help="Jobs at the same time; DARKROOM_JOB_CONCURRENCY if omitted.")
    ] = None,
) -> None:
    """Run jobs.

    SIGTERM or SIGINT stops it; running jobs get DARKROOM_DRAIN_S to finish, and those that do not are given back.
    """
    from catalog import worker
    from proxy.telemetry import logs

    settings = read_settings(job_concurrency=concurrency)
    logs.configure(settings.log_format, settings.log_level)
    asyncio.run(worker.work(settings))  # without a scope of its own: each job enters that of its tenant
