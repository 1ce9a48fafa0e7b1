"""Coalescing: one piece of work for many, cancelled when the last has left."""

import asyncio
from contextlib import suppress

import pytest

from proxy.caching.single_flight import Flights
from proxy.core.errors import Damaged


class Work:
    """Counts its starts and ends when told."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.finish = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def test_two_hundred_wait_for_one() -> None:
    flights: Flights[str, int] = Flights()
    work = Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(200)]
    await asyncio.sleep(0)
    work.finish.set()
    assert set(await asyncio.gather(*waiting)) == {1}
    assert work.started == 1
    assert len(flights) == 0


async def test_another_key_is_another_flight() -> None:
    flights: Flights[str, int] = Flights()
    work = Work()
    work.finish.set()
    assert await flights.join("a", work) == 1
    assert await flights.join("b", work) == 2


async def test_one_who_leaves_does_not_stop_the_others() -> None:
    flights: Flights[str, int] = Flights()
    work = Work()
    one, two = (asyncio.create_task(flights.join("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    with suppress(asyncio.CancelledError):
        await one
    work.finish.set()
    assert await two == 1
    assert work.cancelled == 0


async def test_when_the_last_has_left_the_work_is_cancelled_and_the_next_starts_anew() -> None:
    flights: Flights[str, int] = Flights()
    work = Work()
    one, two = (asyncio.create_task(flights.join("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    two.cancel()
    await asyncio.gather(one, two, return_exceptions=True)
    work.finish.set()
    assert await flights.join("a", work) == 2
    assert work.cancelled == 1
    assert len(flights) == 0


async def test_a_refusal_reaches_all_aboard_and_is_not_kept() -> None:
    flights: Flights[str, int] = Flights()

    async def refuse() -> int:
        await asyncio.sleep(0)
        raise Damaged("no")

    answers = await asyncio.gather(*(flights.join("a", refuse) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, Damaged) for answer in answers)
    with pytest.raises(Damaged):
        await flights.join("a", refuse)
