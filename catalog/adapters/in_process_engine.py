"""The embedded engine: jobs run in the serving process, which wakes when it commits a job itself, and polls."""

from catalog.jobs.runner import JobRunner


class InProcessEngine(JobRunner):
    """A `JobEngine` on nothing but the database. Several processes may each have one."""

    @property
    def alive(self) -> bool:
        """Whether claiming and sweeping are at work, where this process runs jobs."""
        return self.options.concurrency == 0 or super().alive

    def start(self) -> None:
        """Start claiming and sweeping, unless this process runs no jobs."""
        if self.options.concurrency > 0:
            super().start()
