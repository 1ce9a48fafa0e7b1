"""The engine's port: what runs jobs in this process, and hears of jobs that were queued elsewhere."""

from dataclasses import dataclass
from typing import Protocol

from catalog.jobs.claim import LEASE_S


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine works; times in seconds."""

    concurrency: int = 4
    """Jobs at once; 0 runs none, and only reports what was queued here."""
    lease_s: float = LEASE_S
    """A worker that has not extended a job's lease for so long loses the job; it extends it three times as often."""
    poll_s: float = 1.0
    """How often the queue is read where no notification arrives."""
    sweep_s: float = 5.0
    """How often expired leases and schedules are looked for."""
    retry_pause_s: float | None = None
    """The pause between attempts; None for the growing one."""
    stop_s: float = 15.0
    """How long running jobs may take to finish when the engine stops."""


class JobEngine(Protocol):
    """Runs jobs. All engines claim from the database by the same rules; they differ in how they hear of new jobs."""

    @property
    def alive(self) -> bool:
        """Whether all of its background tasks are at work."""

    @property
    def running(self) -> int:
        """How many jobs it runs now."""

    def start(self) -> None:
        """Start its background tasks in the running loop."""

    def wake(self) -> None:
        """Look for jobs now. Neither waits nor fails."""

    async def stop(self) -> None:
        """Stop claiming, let running jobs finish within `stop_s`, and give the others back."""
