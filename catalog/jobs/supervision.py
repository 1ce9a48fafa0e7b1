"""Background tasks that do not die unseen: each is restarted after a failure, and reports whether it is alive."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from proxy.core.errors import Unavailable

log = structlog.get_logger("darkroom.jobs")

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 5.0


class Supervisor:
    """Runs loops until it is stopped; a loop ends itself when `stopping` is set."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> bool:
        """Whether every loop that was started is running, and no stop was asked for."""
        return bool(self._tasks) and not self.stopping.is_set() and not any(task.done() for task in self._tasks)

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until the supervisor stops, again after each failure."""
        self._tasks.append(asyncio.create_task(self._supervise(name, loop), name=f"jobs: {name}"))

    async def pause(self, seconds: float) -> None:
        """Wait that long, or until the supervisor stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def stop(self, within_s: float) -> None:
        """Ask all loops to end, and cancel those that do not within `within_s` seconds."""
        self.stopping.set()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=within_s)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending, timeout=within_s)

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self.stopping.is_set():
            started_at = asyncio.get_running_loop().time()
            try:
                await loop()
            except Unavailable as error:
                log.warning("jobs pause", task=name, reason=str(error))
            except Exception:
                log.exception("background task failed and is restarted", task=name)
            lasted_s = asyncio.get_running_loop().time() - started_at
            pause_s = _FIRST_PAUSE_S if lasted_s > _LAST_PAUSE_S else min(_LAST_PAUSE_S, pause_s * 2)
            await self.pause(pause_s)
