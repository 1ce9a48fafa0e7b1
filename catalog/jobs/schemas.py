"""Queries and answers about jobs."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Identifier, View
from catalog.api.pages import PageQuery
from catalog.core.job_state import KIND_PATTERN
from catalog.records.job import Job

StateName = Literal["queued", "running", "succeeded", "failed", "cancelled"]

_EXAMPLE: JsonDict = {
    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "kind": "images.import",
    "state": "running",
    "progress": {"done": 3, "total": 10},
    "attempts": 1,
    "max_attempts": 5,
    "parameters": {"url": "https://example.com/chair.jpg"},
    "result": None,
    "error": None,
    "image": None,
    "created_at": "2026-11-24T12:00:00Z",
    "started_at": "2026-11-24T12:00:01Z",
    "finished_at": None,
    "created_by": "token:4fQ2mXb81LsA",
}


class JobQuery(PageQuery):
    """The query of the list of jobs."""

    state: Annotated[StateName | None, Field(description="Only jobs in this state.")] = None
    kind: Annotated[
        str | None, StringConstraints(pattern=f"^{KIND_PATTERN}$"), Field(description="Only jobs of this kind.")
    ] = None
    image: Annotated[Identifier | None, Field(description="Only jobs about this image.")] = None


class Progress(View):
    """How far a job is; `total` is null where it is not known."""

    done: int
    total: int | None


class JobError(View):
    """Why the last attempt failed."""

    code: str
    detail: str


class JobView(View):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    kind: str
    state: StateName
    progress: Progress
    attempts: int
    max_attempts: int
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    error: JobError | None
    image: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    created_by: str


def view_of(row: Job) -> JobView:
    """Return a job as it is answered."""
    values = row.model_dump(include=set(JobView.model_fields))
    return JobView.model_validate(values | {"progress": {"done": row.done, "total": row.total}})
