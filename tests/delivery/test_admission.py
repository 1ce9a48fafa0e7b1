"""Admission: bounded, fair, and never losing a slot."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from proxy.core.errors import ServerBusy
from proxy.delivery.admission import AdmissionQueue


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Visitor:
    """Enters the gate as a tenant and stays until told to go."""

    def __init__(self, gate: AdmissionQueue, tenant: str, entered: list[str]) -> None:
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(gate, tenant, entered))

    async def _visit(self, gate: AdmissionQueue, tenant: str, entered: list[str]) -> None:
        async with gate.permit(tenant):
            entered.append(tenant)
            await self.leave.wait()


async def test_as_many_enter_as_there_are_slots() -> None:
    gate, entered = AdmissionQueue(2, 10), list[str]()
    visitors = [Visitor(gate, "a", entered) for _ in range(5)]
    await settle()
    assert (len(entered), gate.running, gate.waiting) == (2, 2, 3)
    for visitor in visitors:
        visitor.leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))
    assert (len(entered), gate.running, gate.waiting) == (5, 0, 0)


async def test_beyond_the_queue_the_newcomer_is_refused_at_once() -> None:
    gate, entered = AdmissionQueue(1, 2), list[str]()
    visitors = [Visitor(gate, "a", entered) for _ in range(3)]
    await settle()
    with pytest.raises(ServerBusy):
        async with gate.permit("a"):
            pass
    for visitor in visitors:
        visitor.leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))


async def test_a_flood_of_one_tenant_delays_another_by_one_picture() -> None:
    gate, entered = AdmissionQueue(1, 100), list[str]()
    visitors = [Visitor(gate, "flood", entered) for _ in range(10)]
    await settle()
    visitors.append(Visitor(gate, "small", entered))
    await settle()
    for visitor in visitors:
        visitor.leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))
    assert entered.index("small") <= 2


async def test_a_full_queue_makes_room_for_the_tenant_with_the_shorter_line() -> None:
    gate, entered = AdmissionQueue(1, 4), list[str]()
    visitors = [Visitor(gate, "flood", entered) for _ in range(5)]
    await settle()
    small = Visitor(gate, "small", entered)
    await settle()
    with pytest.raises(ServerBusy):
        await visitors[-1].task
    for visitor in (*visitors, small):
        visitor.leave.set()
    await asyncio.gather(small.task, *(visitor.task for visitor in visitors[:-1]))
    assert sorted(entered) == ["flood"] * 4 + ["small"]


async def test_who_leaves_the_queue_takes_no_slot_along() -> None:
    gate, entered = AdmissionQueue(1, 10), list[str]()
    first, second, third = (Visitor(gate, "a", entered) for _ in range(3))
    await settle()
    second.task.cancel()
    await settle()
    first.leave.set()
    third.leave.set()
    await asyncio.gather(first.task, third.task)
    assert (gate.running, gate.waiting) == (0, 0)
    async with AsyncExitStack() as stack:
        await asyncio.wait_for(stack.enter_async_context(gate.permit("a")), 5)


async def test_a_slot_given_in_the_moment_of_leaving_goes_on() -> None:
    gate, entered = AdmissionQueue(1, 10), list[str]()
    first, second, third = (Visitor(gate, "a", entered) for _ in range(3))
    await settle()
    first.leave.set()
    await asyncio.sleep(0)  # first has left and given its slot to second, which has not run yet
    second.task.cancel()
    with suppress(asyncio.CancelledError):
        await second.task
    third.leave.set()
    await asyncio.wait_for(third.task, 5)
    assert (gate.running, gate.waiting) == (0, 0)


async def test_a_failure_inside_gives_the_slot_back() -> None:
    gate = AdmissionQueue(1, 10)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with gate.permit("a"):
                raise ZeroDivisionError
    assert gate.running == 0
