"""Coalescing: one call for many waiters, cancelled when the last has left, unless it was detached."""

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import CorruptImage


class Work:
    """Counts its starts and ends when it is let; detaches itself first if `flights` is given."""

    def __init__(self, flights: SingleFlight[str, int] | None = None) -> None:
        self.flights = flights
        self.started = 0
        self.cancelled = 0
        self.error: Exception | None = None
        self.finish = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        number = self.started
        if self.flights is not None:
            self.flights.detach("a")
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return number


async def started(flights: SingleFlight[str, int], work: Work) -> "asyncio.Task[int]":
    task = asyncio.create_task(flights.run("a", work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def leave(*tasks: "asyncio.Task[int]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


async def test_two_hundred_wait_for_one() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    waiting = [asyncio.create_task(flights.run("a", work)) for _ in range(200)]
    await asyncio.sleep(0)
    assert "a" in flights
    work.finish.set()
    assert set(await asyncio.gather(*waiting)) == {1}
    assert work.started == 1
    assert len(flights) == 0
    assert "a" not in flights


async def test_another_key_is_another_call() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.finish.set()
    assert await flights.run("a", work) == 1
    assert await flights.run("b", work) == 2


async def test_a_waiter_that_leaves_does_not_stop_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    first, second = (asyncio.create_task(flights.run("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    work.finish.set()
    assert await second == 1
    assert work.cancelled == 0


async def test_when_the_last_has_left_the_call_is_cancelled_and_the_next_starts_anew() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    await leave(await started(flights, work), await started(flights, work))
    work.finish.set()
    assert await flights.run("a", work) == 2
    assert work.cancelled == 1
    assert len(flights) == 0


async def test_a_detached_call_goes_on_when_the_last_has_left() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work(flights)
    await leave(await started(flights, work), await started(flights, work))
    assert "a" in flights
    work.finish.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (work.started, work.cancelled, len(flights)) == (1, 0, 0)


async def test_a_detached_call_can_be_joined_and_left_again() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work(flights)
    await leave(await started(flights, work))
    await leave(await started(flights, work))
    joined = await started(flights, work)
    work.finish.set()
    assert await joined == 1


async def test_only_the_call_itself_detaches() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    waiter = await started(flights, work)
    flights.detach("a")
    flights.detach("b")
    await leave(waiter)
    assert work.cancelled == 1


async def test_an_error_reaches_all_waiters_and_is_not_kept() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    async def refuse() -> int:
        await asyncio.sleep(0)
        raise CorruptImage("no")

    answers = await asyncio.gather(*(flights.run("a", refuse) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, CorruptImage) for answer in answers)
    with pytest.raises(CorruptImage):
        await flights.run("a", refuse)


@pytest.mark.parametrize(("error", "logged"), [(CorruptImage("no"), 0), (ZeroDivisionError(), 1)])
async def test_an_unexpected_error_that_no_waiter_gets_is_logged(error: Exception, logged: int) -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work(flights)
    work.error = error
    await leave(await started(flights, work))
    with capture_logs() as logs:
        work.finish.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(logs) == logged
    assert all(entry["exc_info"] is error for entry in logs)


async def test_closing_cancels_detached_calls_and_those_that_are_waited_for() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    detached, waited_for = Work(flights), Work()
    await leave(await started(flights, detached))
    waiter = asyncio.create_task(flights.run("b", waited_for))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await flights.close()
    assert (detached.cancelled, waited_for.cancelled, len(flights)) == (1, 1, 0)
    with pytest.raises(asyncio.CancelledError):
        await waiter
