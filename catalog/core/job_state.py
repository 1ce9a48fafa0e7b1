"""States of a job, priorities, and the pauses between attempts.

queued ──► running ──► succeeded
  ▲           │  └────► failed      (the dead letter: may be retried by a person)
  │           ▼
  └─────── (retry)      cancelled ◄── queued, running
"""

from enum import Enum, IntEnum


class JobState(Enum):
    """State of a job, as the API spells it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


KIND_PATTERN = "[a-z][a-z0-9_.-]{0,63}"
"""Kinds of jobs: `images.import`, `cleanup`, …"""
FINISHED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Priority(IntEnum):
    """Who waits for a job; the smallest number runs first."""

    PERSON = 0
    """Somebody waits for the answer."""
    PIPELINE = 1
    """Work after an upload."""
    BATCH = 2
    MAINTENANCE = 3


AGEING_S = 60.0
"""A job that has waited this long counts as one priority higher, and again after each such time."""
FIRST_PAUSE_S, LAST_PAUSE_S = 2.0, 900.0
LARGEST_EXPONENT = 30


def effective_priority(priority: Priority, waited_s: float) -> int:
    """Return the priority of a job that has waited for `waited_s` seconds: at best that of a person's job."""
    return max(Priority.PERSON, priority - int(max(0.0, waited_s) // AGEING_S))


def pause_s(attempts: int) -> float:
    """Return the pause in seconds after the given number of failed attempts: doubling, at most 15 minutes."""
    exponent = min(max(0, attempts - 1), LARGEST_EXPONENT)
    return min(LAST_PAUSE_S, FIRST_PAUSE_S * 2.0**exponent)


def may_retry(state: JobState) -> bool:
    """Return whether a person may put the job back into its queue."""
    return state in {JobState.FAILED, JobState.CANCELLED}


def may_cancel(state: JobState) -> bool:
    """Return whether the job can still be cancelled."""
    return state not in FINISHED
