"""States of images and jobs."""

import pytest

from catalog.core.image_status import ImageStatus, is_served, may_become
from catalog.core.job_state import (
    AGEING_S,
    LAST_PAUSE_S,
    JobState,
    Priority,
    effective_priority,
    may_cancel,
    may_retry,
    pause_s,
)

S = ImageStatus


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        (S.PENDING, S.PROCESSING, True),
        (S.PENDING, S.READY, False),
        (S.PROCESSING, S.READY, True),
        (S.READY, S.TRASHED, True),
        (S.TRASHED, S.READY, True),
        (S.QUARANTINED, S.READY, True),
        (S.REJECTED, S.PENDING, False),
        (S.TRASHED, S.PROCESSING, False),
    ],
)
def test_transitions(before: ImageStatus, after: ImageStatus, allowed: bool) -> None:
    assert may_become(before, after) is allowed
    assert may_become(before, before)


def test_only_usable_images_are_served() -> None:
    assert {status for status in S if is_served(status)} == {S.PROCESSING, S.READY}


def test_priorities_age_until_a_persons() -> None:
    assert effective_priority(Priority.MAINTENANCE, 0) == Priority.MAINTENANCE
    assert effective_priority(Priority.MAINTENANCE, AGEING_S) == Priority.BATCH
    assert effective_priority(Priority.MAINTENANCE, 1e9) == Priority.PERSON
    assert effective_priority(Priority.PERSON, -5) == Priority.PERSON


def test_pauses_double_up_to_a_limit() -> None:
    assert [pause_s(attempts) for attempts in (0, 1, 2, 3, 4)] == [2, 2, 4, 8, 16]
    assert pause_s(10_000) == LAST_PAUSE_S


def test_finished_jobs_are_retried_and_unfinished_ones_cancelled() -> None:
    assert {state for state in JobState if may_retry(state)} == {JobState.FAILED, JobState.CANCELLED}
    assert {state for state in JobState if may_cancel(state)} == {JobState.QUEUED, JobState.RUNNING}
