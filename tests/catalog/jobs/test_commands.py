"""`darkroom work` and `darkroom jobs` as processes."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.settings import Settings
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO
from tests.program.server import SECRET_KEY

DARKROOM = Path(sys.executable).with_name("darkroom")
LONG_S = 60.0


class Shell:
    """Runs the command on one installation."""

    def __init__(self, settings: Settings) -> None:
        self.environment = {
            "DARKROOM_HOME": f"{settings.home}",
            "DARKROOM_DATABASE_URL": settings.database_url,
            "DARKROOM_SECRET_KEYS": SECRET_KEY,
        }

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [DARKROOM, *words], env=self.environment, capture_output=True, text=True, timeout=LONG_S, check=False
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command."""
        return subprocess.Popen(
            [DARKROOM, *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


@pytest.fixture
def shell(settings: Settings, queue: Queue) -> Shell:
    """Give the command on the test's database."""
    return Shell(settings)


async def test_jobs_are_listed_shown_cancelled_and_retried(queue: Queue, shell: Shell) -> None:
    first, second = await queue.add(kind="a"), await queue.add(kind="b")
    await queue.add(ZOO)
    listed = shell.run("jobs", "list", ACME, "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [second, first], listed.stderr
    plain = shell.run("jobs", "list", ACME, "--kind", "a", "--state", "queued").stdout
    assert first in plain
    assert second not in plain
    cancelled = json.loads(shell.run("jobs", "cancel", ACME, first, "--json").stdout)
    assert (cancelled["id"], cancelled["state"]) == (first, "cancelled")
    again = shell.run("jobs", "cancel", ACME, first)
    assert again.returncode == 1
    assert "cancelled already" in again.stderr
    assert "queued again" in shell.run("jobs", "retry", ACME, first).stdout
    shown = shell.run("jobs", "show", ACME, first)
    assert "queued" in shown.stdout
    assert json.loads(shell.run("jobs", "show", ACME, first, "--json").stdout)["state"] == "queued"
    for tenant, identifier in ((ZOO, first), (ACME, "nonsense")):
        absent = shell.run("jobs", "show", tenant, identifier)
        assert (absent.returncode, absent.stdout) == (1, "")
    assert shell.run("jobs", "list", "nobody").returncode == 1


async def test_work_runs_jobs_until_it_is_terminated(queue: Queue, shell: Shell) -> None:
    identifier = await queue.add(kind="unheard-of", max_attempts=1)
    worker = shell.start("work", "--concurrency", "2")
    try:
        async with asyncio.timeout(LONG_S):
            while (await queue.job(identifier)).finished_at is None:  # noqa: ASYNC110 - rows set no Event
                await asyncio.sleep(0.1)
        assert (await queue.job(identifier)).error == {
            "code": "unknown-kind",
            "detail": "This version has no handler for jobs of kind unheard-of. (attempt 1 of 1)",
        }
    finally:
        worker.terminate()
        output, _ = worker.communicate(timeout=LONG_S)
    assert worker.returncode == 0, output
    assert "stopping" in output
