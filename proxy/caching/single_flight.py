"""Coalescing: concurrent requests for the same key wait for one call."""

from asyncio import Task, create_task, current_task, gather, shield
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from proxy.core.errors import DarkroomError

log = structlog.get_logger("darkroom.single_flight")

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(slots=True)
class _Call(Generic[Value]):
    task: Task[Value]
    waiters: int = 0
    detached: bool = False


class SingleFlight(Generic[Key, Value]):
    """Calls under way, by key. A call is cancelled when its last waiter leaves, unless it has been detached."""

    def __init__(self) -> None:
        self._calls: dict[Key, _Call[Value]] = {}
        self._tasks: set[Task[Value]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, key: Key) -> bool:
        return key in self._calls

    async def run(self, key: Key, start: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for the call under `key`, starting it if there is none. Its exception is raised in all waiters."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = self._start(key, start)
        call.waiters += 1
        try:
            return await shield(call.task)
        finally:
            call.waiters -= 1
            if not call.waiters and not call.detached and not call.task.done():
                self._forget(key, call)  # at once, so that the next request does not join a cancelled call
                call.task.cancel()

    def detach(self, key: Key) -> None:
        """Let the current task, the call under `key`, finish even if its last waiter leaves. It can still be joined."""
        call = self._calls.get(key)
        if call is not None and call.task is current_task():
            call.detached = True

    async def close(self) -> None:
        """Cancel all calls, detached ones too, and wait until they have ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)

    def _start(self, key: Key, start: Callable[[], Coroutine[Any, Any, Value]]) -> _Call[Value]:
        call = _Call(create_task(start()))
        self._tasks.add(call.task)
        call.task.add_done_callback(lambda _: self._finish(key, call))
        return call

    def _finish(self, key: Key, call: _Call[Value]) -> None:
        self._forget(key, call)
        self._tasks.discard(call.task)
        error = None if call.task.cancelled() else call.task.exception()
        if error is not None and not call.waiters and not isinstance(error, DarkroomError):
            log.error("a call without waiters failed", exc_info=error)

    def _forget(self, key: Key, call: _Call[Value]) -> None:
        if self._calls.get(key) is call:
            del self._calls[key]
