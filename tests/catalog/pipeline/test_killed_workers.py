"""`darkroom work`, killed in the middle of a job: another worker ends it, and its effect happens once."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.core.roles import Role
from catalog.ports import Platform
from catalog.records.job import Job
from proxy.settings import Settings
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import upload
from tests.catalog.pipeline.pictures import photograph
from tests.catalog.pipeline.work import events_of, image_of, jobs_of
from tests.program.server import SECRET_KEY
from tests.servers.processes import Processes, kill

PATIENCE_S = 60.0


class Workers:
    """Processes of `darkroom work` on one installation."""

    def __init__(self, processes: Processes, settings: Settings, folder: Path) -> None:
        self._processes = processes
        self._log = folder / "workers.log"
        self._variables = [
            f"DARKROOM_HOME={settings.home}",
            f"DARKROOM_DATABASE_URL={settings.database_url}",
            f"DARKROOM_SECRET_KEYS={SECRET_KEY}",
            "DARKROOM_WORKERS=1",
            "DARKROOM_JOB_LEASE_S=1",
        ]
        self.start()

    def start(self) -> None:
        """Start a worker; `process` is the newest."""
        command = ["env", *self._variables, f"{Path(sys.executable).with_name('darkroom')}", "work"]
        self.process = self._processes.start(command, self._log)


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    """Return one worker that starts."""
    with Processes() as processes:
        yield Workers(processes, settings, tmp_path)


async def the_job(platform: Platform, state: str) -> Job:
    """Wait until the one job is in a state, and return it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            [job] = await jobs_of(platform.database)
            if job.state == state:
                return job
            await asyncio.sleep(0.01)


@pytest.mark.timeout(180)
async def test_a_killed_worker_changes_nothing_in_the_end(
    client_of: ClientOf, platform: Platform, workers: Workers
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    image = (await upload(client, photograph(1_200, 800))).json()
    await the_job(platform, "running")
    kill(workers.process)
    workers.start()
    job = await the_job(platform, "succeeded")
    assert job.attempts == 2
    row = await image_of(platform.database, image["id"])
    assert (row.version, row.failed_parts, row.status) == (2, [], "ready")
    assert job.result is not None
    assert row.optimized is not None
    assert row.optimized == job.result["optimized"]
    assert len(await events_of(platform.database)) == 1
