"""Admission: bounded, fair between tenants, and never losing a ticket or a permit."""

import asyncio
from contextlib import suppress

import pytest

from proxy.core.errors import ServerBusy
from proxy.core.identifiers import TenantName
from proxy.delivery.admission import AdmissionQueue
from tests.delivery.fakes import settle


class Job:
    """Takes a ticket as a tenant, fetches until `fetched`, takes a permit, and works until `done`."""

    def __init__(self, queue: AdmissionQueue, tenant: str, started: list[str], *, fetched: bool = True) -> None:
        self.fetched, self.done = asyncio.Event(), asyncio.Event()
        if fetched:
            self.fetched.set()
        self.task = asyncio.create_task(self._run(queue, TenantName(tenant), started))

    async def _run(self, queue: AdmissionQueue, tenant: TenantName, started: list[str]) -> None:
        with queue.ticket(tenant) as ticket:
            await self.fetched.wait()
            async with queue.permit(ticket):
                started.append(tenant)
                await self.done.wait()

    async def end(self) -> None:
        """Finish and be awaited."""
        self.fetched.set()
        self.done.set()
        with suppress(ServerBusy, asyncio.CancelledError):
            await asyncio.wait_for(self.task, 5)


async def end(*jobs: Job) -> None:
    for job in jobs:
        job.fetched.set()
        job.done.set()
    for job in jobs:
        await job.end()


async def usable(queue: AdmissionQueue) -> bool:
    """Report whether a permit can be had at once, and nothing is counted that is over."""
    if (queue.running, queue.waiting) != (0, 0):
        return False
    with queue.ticket(TenantName("a")) as ticket:
        async with asyncio.timeout(5), queue.permit(ticket):
            return queue.running == 1


async def test_as_many_jobs_run_as_there_are_permits() -> None:
    queue, started = AdmissionQueue(2, 10), list[str]()
    jobs = [Job(queue, "a", started) for _ in range(5)]
    await settle()
    assert (len(started), queue.running, queue.waiting) == (2, 2, 3)
    await end(*jobs)
    assert (len(started), queue.admitted) == (5, 5)
    assert await usable(queue)


async def test_beyond_the_bound_the_newcomer_is_refused_at_once() -> None:
    queue, started = AdmissionQueue(1, 2), list[str]()
    jobs = [Job(queue, "a", started) for _ in range(3)]
    await settle()
    with pytest.raises(ServerBusy), queue.ticket(TenantName("a")):
        pass
    await end(*jobs)
    assert len(started) == 3


async def test_those_who_fetch_count_as_waiting() -> None:
    queue, started = AdmissionQueue(1, 2), list[str]()
    jobs = [Job(queue, "a", started, fetched=False) for _ in range(3)]
    await settle()
    assert (queue.running, queue.waiting) == (0, 3)
    with pytest.raises(ServerBusy), queue.ticket(TenantName("a")):
        pass
    await end(*jobs)
    assert await usable(queue)


async def test_a_flood_of_one_tenant_delays_another_by_one_job() -> None:
    queue, started = AdmissionQueue(1, 100), list[str]()
    jobs = [Job(queue, "flood", started) for _ in range(10)]
    await settle()
    jobs.append(Job(queue, "small", started))
    await settle()
    await end(*jobs)
    assert started.index("small") <= 2


async def test_tenants_are_served_in_turn() -> None:
    queue, started = AdmissionQueue(1, 100), list[str]()
    jobs = [Job(queue, tenant, started) for tenant in ("a", "a", "a", "b", "b", "c")]
    await settle()
    await end(*jobs)
    assert started == ["a", "a", "b", "c", "a", "b"]


@pytest.mark.parametrize("fetched", [True, False])
async def test_a_full_queue_makes_room_for_a_tenant_with_fewer_tickets(fetched: bool) -> None:
    queue, started = AdmissionQueue(1, 4), list[str]()
    jobs = [Job(queue, "flood", started, fetched=fetched) for _ in range(5)]
    await settle()
    small = Job(queue, "small", started)
    await settle()
    with pytest.raises(ServerBusy):
        await jobs[-1].task
    assert all(not job.task.done() for job in jobs[:-1])
    await end(*jobs[:-1], small)
    assert sorted(started) == ["flood"] * 4 + ["small"]
    assert await usable(queue)


async def test_room_is_made_until_the_difference_is_one() -> None:
    queue, started = AdmissionQueue(1, 4), list[str]()
    jobs = [Job(queue, "flood", started) for _ in range(5)] + [Job(queue, "small", started) for _ in range(3)]
    await settle()
    refused = [job for job in jobs if job.task.done()]
    assert [jobs.index(job) for job in refused] == [3, 4, 7]
    assert all(isinstance(job.task.exception(), ServerBusy) for job in refused)
    await end(*jobs)


async def test_a_running_job_is_never_evicted() -> None:
    queue, started = AdmissionQueue(3, 1), list[str]()
    jobs = [Job(queue, "flood", started) for _ in range(4)]
    await settle()
    with pytest.raises(ServerBusy), queue.ticket(TenantName("small")):
        pass
    assert not any(job.task.done() for job in jobs)
    await end(*jobs)


async def test_an_evicted_task_is_not_left_cancelled() -> None:
    queue, started = AdmissionQueue(1, 2), list[str]()
    jobs = [Job(queue, "flood", started), Job(queue, "flood", started)]
    await settle()
    outcome: list[object] = []

    async def flood() -> None:
        try:
            with queue.ticket(TenantName("flood")) as ticket:
                async with queue.permit(ticket):
                    pass
        except ServerBusy as error:
            outcome.append(error)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        outcome.append(task.cancelling() if task else None)

    flooding = asyncio.create_task(flood())
    await settle()
    small = Job(queue, "small", started)
    await flooding
    assert isinstance(outcome[0], ServerBusy)
    assert outcome[1] == 0
    await end(*jobs, small)


async def test_a_client_that_leaves_the_moment_it_is_evicted_has_left() -> None:
    queue, started = AdmissionQueue(1, 2), list[str]()
    jobs = [Job(queue, "flood", started) for _ in range(3)]
    await settle()
    small = Job(queue, "small", started)
    await asyncio.sleep(0)  # the newest job of the flood has been evicted, and has not run yet
    jobs[-1].task.cancel()
    await asyncio.gather(jobs[-1].task, return_exceptions=True)
    assert jobs[-1].task.cancelled()
    await end(*jobs, small)
    assert await usable(queue)


async def test_a_job_that_leaves_the_queue_takes_no_permit_along() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    first, second, third = (Job(queue, "a", started) for _ in range(3))
    await settle()
    second.task.cancel()
    await settle()
    assert queue.waiting == 1
    await end(first, second, third)
    assert len(started) == 2
    assert await usable(queue)


async def test_a_permit_granted_at_the_moment_of_leaving_goes_to_the_next() -> None:
    queue, started = AdmissionQueue(1, 10), list[str]()
    first, second, third = (Job(queue, "a", started) for _ in range(3))
    await settle()
    first.done.set()
    await asyncio.sleep(0)  # the first has ended and its permit was granted to the second, which has not run yet
    second.task.cancel()
    with suppress(asyncio.CancelledError):
        await second.task
    await settle()
    assert not third.task.done()
    assert len(started) == 2
    await end(first, second, third)
    assert await usable(queue)


async def test_a_permit_granted_at_the_moment_of_the_eviction_goes_to_the_next() -> None:
    queue, started = AdmissionQueue(1, 2), list[str]()
    first, second, third = (Job(queue, "flood", started) for _ in range(3))
    await settle()
    second.task.cancel()
    await settle()
    first.done.set()
    fourth = Job(queue, "flood", started, fetched=False)
    await asyncio.sleep(0)  # the third has been granted the permit of the first, and has not run yet
    small = [Job(queue, "small", started, fetched=False) for _ in range(2)]
    await end(first, second, third, fourth, *small)
    assert await usable(queue)


async def test_a_failure_gives_ticket_and_permit_back() -> None:
    queue = AdmissionQueue(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), queue.ticket(TenantName("a")) as ticket:
            async with queue.permit(ticket):
                raise ZeroDivisionError
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), queue.ticket(TenantName("a")):
            raise ZeroDivisionError
    assert await usable(queue)


async def test_the_queue_reports_when_it_last_moved() -> None:
    now_s, started = 100.0, list[str]()
    queue = AdmissionQueue(1, 10, lambda: now_s)
    first = Job(queue, "a", started)
    await settle()
    now_s = 200.0
    second = Job(queue, "a", started)
    await settle()
    now_s = 300.0
    third = Job(queue, "a", started)
    await settle()
    assert queue.moved_at == 200.0
    first.done.set()
    await settle()
    now_s = 400.0
    assert queue.moved_at == 300.0
    await end(second, third)


async def test_a_queue_that_waits_for_originals_alone_is_not_stuck() -> None:
    now_s, started = 100.0, list[str]()
    queue = AdmissionQueue(1, 10, lambda: now_s)
    jobs = [Job(queue, "a", started, fetched=False) for _ in range(3)]
    await settle()
    now_s = 500.0
    assert (queue.waiting, queue.moved_at) == (3, 500.0)
    await end(*jobs)
