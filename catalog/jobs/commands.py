"""`darkroom jobs`: the jobs of a tenant."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, TenantArgument, epilog
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from catalog.core.origin import Origin
    from catalog.core.roles import Principal
    from catalog.records.job import Job

    Change = Callable[[AsyncSession, Principal, Origin, str], Awaitable[Job]]

app = typer.Typer(help="Show, cancel and retry a tenant's jobs.", no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id, see jobs list.")]


class StateOption(Enum):
    """States of jobs, as an option."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.command("list", epilog=epilog("darkroom jobs list acme --state failed"))
def list_(
    tenant: TenantArgument,
    state: Annotated[StateOption | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Jobs to list.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List a tenant's jobs, the newest first."""
    from catalog.core.job_state import JobState
    from catalog.jobs.service import JobFilter, list_jobs
    from catalog.records.schema import open_database
    from catalog.records.tenant_lock import get_tenant

    async def read() -> "Sequence[Job]":
        async with open_database(read_settings()) as database, database.reading() as session:
            await get_tenant(session, TenantName(tenant))
            wanted = JobFilter(JobState(state.value) if state else None, kind)
            return await list_jobs(session, TenantName(tenant), wanted, limit)

    jobs = run(read(), tenant)
    if as_json:
        for job in jobs:
            _say_job(job)
    else:
        print_table(*((job.id, job.kind, job.state, _progress(job), f"created {_date(job)}") for job in jobs))


@app.command(epilog=epilog("darkroom jobs show acme 019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"))
def show(tenant: TenantArgument, job: JobArgument, *, as_json: AsJson = False) -> None:
    """Show one job: its progress, its result, or why it failed."""
    from catalog.jobs.schemas import view_of
    from catalog.jobs.service import find_job
    from catalog.records.schema import open_database

    async def read() -> "Job":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await find_job(session, TenantName(tenant), job)

    row = run(read(), tenant)
    if as_json:
        _say_job(row)
    else:
        print_table(*view_of(row).model_dump(mode="json").items())


@app.command(epilog=epilog("darkroom jobs retry acme 019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"))
def retry(tenant: TenantArgument, job: JobArgument, *, as_json: AsJson = False) -> None:
    """Queue a failed or cancelled job again, with all its attempts."""
    from catalog.jobs.service import retry_job

    _change(retry_job, tenant, job, "queued again", as_json=as_json)


@app.command(epilog=epilog("darkroom jobs cancel acme 019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"))
def cancel(tenant: TenantArgument, job: JobArgument, *, as_json: AsJson = False) -> None:
    """Cancel a queued job, or ask a running one to stop at its next heartbeat."""
    from catalog.jobs.service import cancel_job

    _change(cancel_job, tenant, job, "cancelled, or stops at its next heartbeat", as_json=as_json)


def _change(change: "Change", tenant: str, job: str, outcome: str, *, as_json: bool) -> None:
    from catalog.core.origin import COMMAND_LINE
    from catalog.records.schema import open_database

    principal = principal_for(tenant)

    async def write() -> "Job":
        async with open_database(read_settings()) as database, database.writing() as session:
            return await change(session, principal, COMMAND_LINE, job)

    row = run(write(), tenant)
    if as_json:
        _say_job(row)
    else:
        print_line(f"Job {row.id} is {outcome}.")


def _say_job(row: "Job") -> None:
    from catalog.jobs.schemas import view_of

    print_json(**view_of(row).model_dump(mode="json"))


def _date(row: "Job") -> str:
    return row.created_at.isoformat(timespec="seconds")


def _progress(row: "Job") -> str:
    return f"{row.done} of {'?' if row.total is None else row.total}, attempt {row.attempts} of {row.max_attempts}"
