"""`python -m benchmarks.claims`: jobs claimed and finished per second beside a large backlog, on both databases.

The backlog is 100,000 jobs of one tenant and 100 of each of 50 others. Workers are asyncio tasks of this process, each
with claims of its own; every claim and every end of a job is a transaction. The last column
says after how many jobs every tenant had been served.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from pydantic import SecretStr
from sqlalchemy import text

from benchmarks.machine import describe
from benchmarks.tables import Printer
from catalog.core.job_state import Priority
from catalog.jobs.claim import JobRef, claim
from catalog.jobs.lifecycle import succeed
from catalog.records.base import now
from catalog.records.database import Database, connect_database
from catalog.records.migrations.upgrade import migrate
from catalog.records.tenant import Tenant
from proxy.settings import Settings
from tests.catalog.jobs.backlog import add_backlog
from tests.program.server import SECRET_KEY
from tests.servers.postgres import start_postgres
from tests.servers.processes import Processes

BACKLOG, OTHERS, JOBS_OF_OTHERS = 100_000, 50, 100
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Claims:
    """What one run measured."""

    database: str
    batch: int
    finish: bool
    """Whether each claimed job was finished as well."""
    jobs_s: float
    claim_p50_ms: float
    claim_p99_ms: float
    served_within: int | None
    """Claimed jobs until every tenant was served; None if some never was."""


async def measure(name: str, settings: Settings, batch: int, seconds: float, *, finish: bool) -> Claims:
    """Claim with all workers for so long."""
    async with connect_database(settings) as database:
        await migrate(database)
        await _fill(database)
        order: list[str] = []
        times_s: list[float] = []
        end_s = time.perf_counter() + seconds

        async def work(worker: str) -> None:
            while (started_s := time.perf_counter()) < end_s:
                async with database.writing() as session:
                    jobs = await claim(session, worker, batch)
                times_s.append(time.perf_counter() - started_s)
                order.extend(job.tenant for job in jobs)
                for job in jobs if finish else ():
                    await _finish(database, job.ref)

        started_s = time.perf_counter()
        await asyncio.gather(*(work(f"w{number}") for number in range(WORKERS)))
        took_s = time.perf_counter() - started_s
        await _empty(database)
    cuts = quantiles(times_s, n=100)
    return Claims(name, batch, finish, len(order) / took_s, cuts[49] * 1e3, cuts[98] * 1e3, _served_within(order))


def _served_within(order: Sequence[str]) -> int | None:
    served: set[str] = set()
    for place, tenant in enumerate(order, 1):
        served.add(tenant)
        if len(served) == OTHERS + 1:
            return place
    return None


async def _finish(database: Database, ref: JobRef) -> None:
    async with database.writing() as session:
        await succeed(session, ref, {})


async def _fill(database: Database) -> None:
    others = [f"t{number}" for number in range(OTHERS)]
    async with database.writing() as session:
        session.add_all(Tenant(name=name) for name in ("big", *others))
    await add_backlog(database, {"big": BACKLOG} | dict.fromkeys(others, JOBS_OF_OTHERS), now(), Priority.BATCH)
    if not database.embedded:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE job"))


async def _empty(database: Database) -> None:
    async with database.writing() as session:
        for table in ("job", "lane", "tenant"):
            await session.execute(text(f"DELETE FROM {table}"))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder, Processes() as processes:
        Path(folder).chmod(0o755)
        (Path(folder) / "postgres").mkdir()
        url = start_postgres(Path(folder) / "postgres", processes)
        home = Path(folder) / "home"
        places = {
            "SQLite": Settings(home=home, database_url=""),
            "PostgreSQL": Settings(home=home, database_url=url, secret_keys=SecretStr(SECRET_KEY)),
        }
        rows = [
            asyncio.run(measure(name, settings, batch, chosen.seconds, finish=finish))
            for name, settings in places.items()
            for batch, finish in ((1, False), (1, True), (10, False), (10, True))
        ]
    printer = Printer(markdown=chosen.markdown)
    printer.machine(describe())
    printer.claims(
        f"Claims: {BACKLOG} jobs of one tenant, {JOBS_OF_OTHERS} of each of {OTHERS}, {WORKERS} workers", rows
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
