"""How the run of a job ends other than by its result."""

from typing import Final

MAX_DETAIL_LENGTH: Final = 1_000


class JobFailed(Exception):
    """The handler's own failure, with a code and a sentence for people; `retry=False` skips the attempts left."""

    def __init__(self, code: str, detail: str, *, retry: bool = True) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry = retry


class JobCancelled(Exception):
    """Somebody asked for the job to be cancelled."""


class LeaseLost(Exception):
    """The job is no longer this worker's: its lease ran out and it was given away, or it is finished."""


class DocumentRefused(ValueError):
    """Parameters or a result that the database could not store."""
