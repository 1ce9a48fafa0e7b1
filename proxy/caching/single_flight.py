"""Coalescing: many who ask for one thing at one time wait for one piece of work."""

from asyncio import Task, create_task, shield
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(slots=True)
class _Call(Generic[Value]):
    task: Task[Value]
    waiters: int = 0


class SingleFlight(Generic[Key, Value]):
    """Work under way, by key. When the last who waits has left, the work is cancelled."""

    def __init__(self) -> None:
        self._calls: dict[Key, _Call[Value]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def run(self, key: Key, start: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for the call under `key`, starting it where there is none; its refusal reaches all waiters."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(create_task(start()))
            call.task.add_done_callback(lambda task: self._finish(key, task))
        call.waiters += 1
        try:
            return await shield(call.task)
        finally:
            call.waiters -= 1
            if not call.waiters and not call.task.done():
                self._finish(key, call.task)  # at once: who comes now starts anew instead of joining the cancelled
                call.task.cancel()

    def _finish(self, key: Key, task: Task[Value]) -> None:
        call = self._calls.get(key)
        if call is not None and call.task is task:
            del self._calls[key]
        if task.done() and not task.cancelled():
            task.exception()  # seen here, so that a failure nobody waited for is not reported as forgotten
