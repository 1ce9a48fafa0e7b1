"""Background tasks that must not end unseen: an end is logged, and a readiness check reports it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from proxy.core.errors import Unavailable

log = structlog.get_logger("darkroom")


class BackgroundTasks:
    """Tasks that run until the process stops, by name.

    A task that ends earlier is not restarted: its own loop survives the errors it expects, so an end is a defect, and
    the process should be replaced.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start `work` as a task."""
        task = self._tasks[name] = asyncio.create_task(work, name=name)
        task.add_done_callback(self._log_end)

    async def check(self) -> None:
        """Raise Unavailable with the names of the tasks that have ended."""
        if ended := [name for name, task in self._tasks.items() if task.done()]:
            raise Unavailable(f"Background tasks have ended: {', '.join(ended)}. Restart the process.")

    async def stop(self, timeout_s: float) -> None:
        """Cancel all tasks and wait for their ends; cancel those again that still run after `timeout_s` seconds."""
        self._stopping = True
        for wait_s in (timeout_s, _LAST_S):
            running = [task for task in self._tasks.values() if not task.done()]
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running, timeout=wait_s)

    def _log_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None or not self._stopping:
            log.error("background task ended", task=task.get_name(), exc_info=error)


_LAST_S = 0.5
"""Time for a task to end after it was cancelled a second time, in seconds."""
