"""Background renders: after the requests of people, half of the workers at most, and never forgotten."""

import asyncio
from contextlib import suppress

from proxy.core.identifiers import TenantName
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.background import BackgroundTurns
from tests.delivery.fakes import settle
from tests.delivery.test_admission import Job, end
from tests.patience import until

LONG_S = 60.0


class Background:
    """Takes a turn, then a permit, and works until `done`."""

    def __init__(self, turns: BackgroundTurns, queue: AdmissionQueue, started: list[str]) -> None:
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, queue, started))

    async def _run(self, turns: BackgroundTurns, queue: AdmissionQueue, started: list[str]) -> None:
        async with turns.turn():
            with queue.ticket(TenantName("back")) as ticket:
                async with queue.permit(ticket):
                    started.append("back")
                    await self.done.wait()

    async def end(self) -> None:
        """Finish and be awaited."""
        self.done.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(self.task, 5)


async def test_it_begins_at_once_where_nobody_else_wants_a_worker() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    background = Background(BackgroundTurns(queue, 1, LONG_S), queue, started)
    await settle()
    assert started == ["back"]
    await background.end()


async def test_requests_that_came_later_go_first() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    running = Job(queue, "a", started)
    await settle()
    background = Background(BackgroundTurns(queue, 1, LONG_S), queue, started)
    await settle()
    later = [Job(queue, "b", started), Job(queue, "c", started, fetched=False)]
    await settle()
    await running.end()
    await settle()
    assert started == ["a", "b"]
    await later[0].end()
    await settle()
    assert started == ["a", "b"], "a request that fetches its original will want the worker"
    await later[1].end()
    await settle()
    assert started == ["a", "b", "c", "back"]
    await background.end()


async def test_it_takes_half_of_the_workers_at_most() -> None:
    queue, started = AdmissionQueue(4, 10), list[str]()
    turns = BackgroundTurns(queue, 4, LONG_S)
    background = [Background(turns, queue, started) for _ in range(5)]
    await settle()
    assert started == ["back"] * 2
    person = Job(queue, "a", started)
    await settle()
    assert started == ["back", "back", "a"]
    await end(person)
    for job in background:
        job.done.set()
    for job in background:
        await job.end()
    assert started.count("back") == 5


async def test_it_queues_like_a_request_when_its_patience_ends() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    running = Job(queue, "a", started)
    await settle()
    background = Background(BackgroundTurns(queue, 1, 0.01), queue, started)
    await until(lambda: queue.waiting > 0)
    waiting = [Job(queue, "a", started) for _ in range(3)]
    await running.end()
    await settle()
    assert started == ["a", "back"], "fair between tenants, in the order of arrival"
    await background.end()
    await end(*waiting)


async def test_one_that_gives_up_leaves_its_turn() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    running = Job(queue, "a", started)
    await settle()
    turns = BackgroundTurns(queue, 1, LONG_S)
    gone, second = Background(turns, queue, started), Background(turns, queue, started)
    await settle()
    gone.task.cancel()
    await running.end()
    await settle()
    assert started == ["a", "back"]
    await gone.end()
    await second.end()
    assert (queue.running, queue.waiting) == (0, 0)
