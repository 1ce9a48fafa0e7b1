"""Fair permits: a bound, tenants in turn, and nothing lost when a waiter leaves."""

import asyncio

from proxy.core.identifiers import TenantName
from proxy.delivery.fair_permits import FairPermits
from tests.delivery.fakes import Door, settle

A, B = TenantName("a"), TenantName("b")


async def hold(permits: FairPermits, tenant: TenantName, door: Door, order: list[str]) -> None:
    async with permits.acquire(tenant):
        order.append(tenant)
        await door.pass_through()


async def test_at_most_so_many_hold_a_permit_and_tenants_take_turns() -> None:
    permits, door, order = FairPermits(2), Door(), list[str]()
    door.close()
    tasks = [asyncio.create_task(hold(permits, tenant, door, order)) for tenant in (A, A, A, A, A, B)]
    await settle()
    assert order == [A, A]
    door.open()
    await asyncio.gather(*tasks)
    assert (order, door.most) == ([A, A, A, B, A, A], 2)


async def test_those_who_leave_are_skipped() -> None:
    permits, door, order = FairPermits(1), Door(), list[str]()
    door.close()
    tasks = [asyncio.create_task(hold(permits, tenant, door, order)) for tenant in (A, A, B, A)]
    await settle()
    tasks[1].cancel()
    tasks[2].cancel()
    door.open()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [A, A]
    async with asyncio.timeout(5), permits.acquire(B):
        pass
