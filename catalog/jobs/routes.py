"""Routes of jobs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer, no_content
from catalog.api.context import Caller, Changing, Context
from catalog.api.pages import Page, next_cursor, open_position
from catalog.api.positions import by_creation, creation_position
from catalog.core.job_state import JobState
from catalog.jobs import service
from catalog.jobs.events import JobEvents, JobStreams, event_id, is_finished
from catalog.jobs.schemas import JobQuery, JobView, view_of

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

_ACCEPTED = 202
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events `state` and `progress`, whose data is the job.", "content": {"text/event-stream": {}}},
    204: {"description": "The job is finished, and `Last-Event-ID` is its last event: do not reconnect."},
}
_LONGEST_EVENT_ID = 128


@router.get("", summary="List the tenant's jobs")
async def list_jobs(context: Context, caller: Caller, query: Annotated[JobQuery, Query()]) -> Page[JobView]:
    """Return the jobs, the newest first."""
    after = by_creation(open_position(context.cursors, query, caller.tenant, "jobs"))
    wanted = service.JobFilter(JobState(query.state) if query.state else None, query.kind, query.image)
    async with context.database.reading() as session:
        rows = await service.list_jobs(session, caller.tenant, wanted, query.limit + 1, after)
    cursor = next_cursor(context.cursors, query, caller.tenant, "jobs", rows, creation_position)
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{id}", summary="Read one job")
async def read_job(context: Context, caller: Caller, id: str) -> JobView:  # noqa: A002 - the contract's own name
    """Return a job."""
    async with context.database.reading() as session:
        return view_of(await service.find_job(session, caller.tenant, id))


async def count_stream(request: Request, caller: Caller) -> AsyncIterator[None]:
    """Count the request among the open streams until its answer has ended."""
    state = request.app.state
    if not hasattr(state, "job_streams"):
        state.job_streams = JobStreams()
    with state.job_streams.open(caller.tenant):
        yield


@router.get(
    "/{id}/events",
    summary="Follow one job",
    response_class=Response,
    responses=_EVENTS,
    dependencies=[Depends(count_stream)],
)
async def follow_job(
    request: Request,
    context: Context,
    caller: Caller,
    id: str,  # noqa: A002 - the contract's own name
    last_event_id: Annotated[str | None, Header(max_length=_LONGEST_EVENT_ID)] = None,
) -> Response:
    """Send an event for each change of a job's state and progress, and end when it is finished."""
    async with context.database.reading() as session:
        row = await service.find_job(session, caller.tenant, id)
    if is_finished(row) and last_event_id == event_id(row):
        return no_content()
    authorization, address = request.headers.get("authorization"), request.client.host if request.client else ""

    async def check() -> None:
        await context.authenticator.authenticate(authorization, address)

    events = JobEvents(context.database, caller.tenant, id, check, asyncio.sleep)
    return EventSourceResponse(events.stream(last_event_id), headers={"x-accel-buffering": "no"})


@router.post("/{id}/cancel", summary="Cancel a job", response_model=JobView, responses={_ACCEPTED: {"model": JobView}})
async def cancel_job(change: Changing, id: str) -> Response:  # noqa: A002 - the contract's own name
    """Cancel a queued job at once (200), or ask a running one to stop at its next heartbeat (202)."""

    async def work(session: AsyncSession) -> Response:
        row = await service.cancel_job(session, change.principal, change.origin, id)
        return json_answer(view_of(row), _ACCEPTED if row.state == JobState.RUNNING.value else 200)

    return await change.run(work)


@router.post("/{id}/retry", summary="Retry a job", response_model=JobView)
async def retry_job(change: Changing, id: str) -> Response:  # noqa: A002 - the contract's own name
    """Queue a failed or cancelled job again, with all its attempts."""

    async def work(session: AsyncSession) -> Response:
        return json_answer(view_of(await service.retry_job(session, change.principal, change.origin, id)))

    return await change.run(work)
