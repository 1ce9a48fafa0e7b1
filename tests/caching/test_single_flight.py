"""Coalescing: one piece of work for many, cancelled when the last has left."""

import asyncio
from contextlib import suppress

import pytest

from proxy.caching.single_flight import SingleFlight
from proxy.core.errors import CorruptImage


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
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    waiting = [asyncio.create_task(flights.run("a", work)) for _ in range(200)]
    await asyncio.sleep(0)
    work.finish.set()
    assert set(await asyncio.gather(*waiting)) == {1}
    assert work.started == 1
    assert len(flights) == 0


async def test_another_key_is_another_flight() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.finish.set()
    assert await flights.run("a", work) == 1
    assert await flights.run("b", work) == 2


async def test_one_who_leaves_does_not_stop_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    one, two = (asyncio.create_task(flights.run("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    with suppress(asyncio.CancelledError):
        await one
    work.finish.set()
    assert await two == 1
    assert work.cancelled == 0


async def test_when_the_last_has_left_the_work_is_cancelled_and_the_next_starts_anew() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    one, two = (asyncio.create_task(flights.run("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    two.cancel()
    await asyncio.gather(one, two, return_exceptions=True)
    work.finish.set()
    assert await flights.run("a", work) == 2
    assert work.cancelled == 1
    assert len(flights) == 0


async def test_a_refusal_reaches_all_aboard_and_is_not_kept() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    async def refuse() -> int:
        await asyncio.sleep(0)
        raise CorruptImage("no")

    answers = await asyncio.gather(*(flights.run("a", refuse) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, CorruptImage) for answer in answers)
    with pytest.raises(CorruptImage):
        await flights.run("a", refuse)
