"""Coalescing: many who ask for one thing at one time wait for one piece of work."""

from asyncio import Task, create_task, shield
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(slots=True)
class _Flight(Generic[Value]):
    task: Task[Value]
    aboard: int = 0


class Flights(Generic[Key, Value]):
    """Work under way, by key. When the last who waits has left, the work is cancelled."""

    def __init__(self) -> None:
        self._flights: dict[Key, _Flight[Value]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def join(self, key: Key, start: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for the flight under `key`, starting it where there is none; its refusal reaches all aboard."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(create_task(start()))
            flight.task.add_done_callback(lambda task: self._land(key, task))
        flight.aboard += 1
        try:
            return await shield(flight.task)
        finally:
            flight.aboard -= 1
            if not flight.aboard and not flight.task.done():
                self._land(key, flight.task)  # at once: who comes now starts anew instead of joining the cancelled
                flight.task.cancel()

    def _land(self, key: Key, task: Task[Value]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if task.done() and not task.cancelled():
            task.exception()  # seen here, so that a failure nobody waited for is not reported as forgotten
