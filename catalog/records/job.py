"""Jobs, the lanes they wait in, schedules and batch items: the truth about work that outlives its request.

A job is claimed in two steps within one transaction: choose a lane by its counters, then take the lane's oldest ready
job. One statement that does both reads the whole backlog (measured: 6 claims a second instead of thousands).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, text
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, WORD_LENGTH, Json, Record, UtcDateTime, now
from catalog.records.image import ID_LENGTH, SUBJECT_LENGTH

DEDUPE_LENGTH = 255
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a lane was served that never was: it is the next one."""


class Job(Record, table=True):
    """One job; every write of a worker checks `token`, which each claim counts up (fencing)."""

    __table_args__ = (
        Index(
            "ix_job_ready",
            "tenant",
            "priority",
            "run_at",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_job_lease",
            "lease_until",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        Index(
            "uq_job_dedupe",
            "tenant",
            "dedupe_key",
            unique=True,
            sqlite_where=text("dedupe_key IS NOT NULL AND state IN ('queued', 'running')"),
            postgresql_where=text("dedupe_key IS NOT NULL AND state IN ('queued', 'running')"),
        ),
        Index("ix_job_tenant_created", "tenant", "created_at", "id"),
        Index(
            "ix_job_finished",
            "finished_at",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        Index("ix_job_image", "image"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    priority: int
    state: str = Field(default="queued", max_length=WORD_LENGTH)
    parameters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    done: int = 0
    total: int | None = None
    attempts: int = 0
    """Counted when the job is claimed, so that one that kills its worker comes to an end."""
    max_attempts: int = 5
    token: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    worker: str | None = Field(default=None, max_length=SUBJECT_LENGTH)
    cancel_requested: bool = False
    run_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    dedupe_key: str | None = Field(default=None, max_length=DEDUPE_LENGTH)
    image: str | None = Field(default=None, max_length=ID_LENGTH)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)


class Lane(Record, table=True):
    """The queued and running jobs of one tenant and priority, counted; `served_at` orders lanes for fairness.

    Lanes are hints that claims and a sweep correct; the rows of jobs are the truth. `catalog.jobs.lanes` writes them.
    """

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    priority: int = Field(primary_key=True)
    ready: int = 0
    """Queued jobs, those included whose `run_at` is still to come."""
    running: int = 0
    served_at: datetime = Field(default=NEVER, sa_type=UtcDateTime)
    oldest_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    """The least `run_at` of its queued jobs, or an earlier time: ageing is computed from it."""


class Schedule(Record, table=True):
    """Work that is started once per period, however many nodes there are."""

    name: str = Field(primary_key=True, max_length=WORD_LENGTH)
    next_at: datetime = Field(sa_type=UtcDateTime)


class BatchItem(Record, table=True):
    """One image of a batch; `position` orders them."""

    __tablename__ = "batch_item"
    __table_args__ = (
        ForeignKeyConstraint(["job"], ["job.id"], ondelete="CASCADE"),
        Index("ix_batch_item_state", "job", "state", "position"),
    )

    job: str = Field(primary_key=True, max_length=ID_LENGTH)
    position: int = Field(primary_key=True)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    image: str = Field(max_length=ID_LENGTH)
    state: str = Field(default="queued", max_length=WORD_LENGTH)
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
