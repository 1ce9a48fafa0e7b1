"""The tenant cache: hits do not wait for the records, failures serve stale tenants, unknown names cost no look-up."""

import asyncio
from collections.abc import Callable

import pytest

from proxy.caching.tenant_cache import (
    NAMES_PAUSE_S,
    REFRESH_PAUSE_S,
    RETRY_PAUSE_S,
    STALE_S,
    STALE_WINDOW_S,
    TenantCache,
)
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant
from proxy.core.url.signing import SigningKey

ACME, OTHER, GHOST = TenantName("acme"), TenantName("other"), TenantName("ghost")
TTL_S = 5.0


def tenant(name: TenantName = ACME, secret: str = "one") -> Tenant:
    return Tenant(name, (SigningKey.derive(secret),))


class Records:
    """The `Tenants` port on a dictionary; it counts its calls, and can fail or hang."""

    def __init__(self) -> None:
        self.rows = {ACME: tenant()}
        self.failure: Exception | None = None
        self.hanging: asyncio.Event | None = None
        self.finds = 0
        self.name_reads = 0

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.hanging is not None:
            await self.hanging.wait()
        if self.failure is not None:
            raise self.failure

    async def find(self, name: TenantName) -> Tenant | None:
        self.finds += 1
        await self._answer()
        row = self.rows.get(name)
        return None if row is None else Tenant(row.name, row.keys)

    async def names(self) -> frozenset[TenantName]:
        self.name_reads += 1
        await self._answer()
        return frozenset(self.rows)

    async def ping(self) -> None:
        await self._answer()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(records: Records, clock: Clock) -> TenantCache:
    return TenantCache(records, ttl_s=TTL_S, size=3, clock=clock, lookup_s=0.05)


async def settle(until: Callable[[], object] = lambda: False) -> None:
    """Let background tasks run until a condition holds, for at most fifty turns of the loop."""
    for _ in range(50):
        if until():
            return
        await asyncio.sleep(0)


async def test_a_tenant_is_read_once_while_it_is_fresh(cache: TenantCache, records: Records) -> None:
    results = await asyncio.gather(*(cache.find(ACME) for _ in range(20)))
    assert results == [tenant()] * 20
    await cache.find(ACME)
    assert (records.finds, records.name_reads) == (1, 1)


async def test_a_change_is_visible_after_the_lifetime(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.rows[ACME] = tenant(secret="two")
    clock.now = TTL_S + 0.1
    assert cache.peek(ACME) is None
    assert await cache.find(ACME) == tenant(secret="two")


async def test_a_retired_key_is_not_accepted_after_an_hour_without_requests(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    await cache.find(ACME)
    records.rows[ACME] = tenant(secret="two")
    clock.now = 3_600.0
    assert cache.peek(ACME) is None
    assert await cache.find(ACME) == tenant(secret="two")


@pytest.mark.parametrize("by", ["peek", "find"])
async def test_late_in_its_lifetime_a_tenant_is_read_in_the_background(
    cache: TenantCache, records: Records, clock: Clock, by: str
) -> None:
    """The records hang, and requests are answered all the same: one read is under way."""
    await cache.find(ACME)
    records.rows[ACME] = tenant(secret="two")
    records.hanging = asyncio.Event()
    clock.now = 0.9 * TTL_S
    for _ in range(10):
        assert (cache.peek(ACME) if by == "peek" else await cache.find(ACME)) == tenant()
        await asyncio.sleep(0)
    assert records.finds == 2
    records.hanging.set()
    await settle(lambda: cache.peek(ACME) == tenant(secret="two"))
    assert cache.peek(ACME) == tenant(secret="two")
    clock.now = 1.5 * TTL_S
    assert cache.peek(ACME) is not None, "the lifetime begins anew with the read"


async def test_an_unchanged_tenant_stays_the_same_object(cache: TenantCache, records: Records, clock: Clock) -> None:
    """The fast path compares identities; the records return a new object for each read."""
    before = await cache.find(ACME)
    clock.now = TTL_S + 1
    assert await cache.find(ACME) is before
    assert records.finds == 2


@pytest.mark.parametrize("failure", [Unavailable("down"), TypeError("unknown limit"), KeyError("column"), OSError()])
async def test_a_cached_tenant_is_served_whatever_fails(
    cache: TenantCache, records: Records, clock: Clock, failure: Exception
) -> None:
    before = await cache.find(ACME)
    records.failure, clock.now = failure, TTL_S + 1
    assert await cache.find(ACME) is before
    assert cache.failures == 1


async def test_records_that_hang_delay_a_cached_tenant_by_one_deadline(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    before = await cache.find(ACME)
    records.hanging, clock.now = asyncio.Event(), TTL_S + 1
    assert await cache.find(ACME) is before
    assert (cache.failures, records.finds) == (1, 2)
    for _ in range(5):
        assert cache.peek(ACME) is before, "no request waits within seconds of a failure"


async def test_after_a_failure_the_read_is_retried_in_the_background(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    await cache.find(ACME)
    records.failure, clock.now = Unavailable("down"), TTL_S + 1
    await cache.find(ACME)
    for _ in range(4):
        assert cache.peek(ACME) == tenant()
    await settle()
    assert records.finds == 2, "not before the pause ends"
    records.failure = None
    records.rows[ACME] = tenant(secret="two")
    clock.now += RETRY_PAUSE_S
    assert cache.peek(ACME) == tenant()
    await settle(lambda: cache.peek(ACME) == tenant(secret="two"))
    assert cache.peek(ACME) == tenant(secret="two")


async def test_a_while_after_a_failure_a_request_waits_again(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    """A failure an hour ago is not a reason to accept a retired key now."""
    await cache.find(ACME)
    records.failure, clock.now = Unavailable("down"), TTL_S + 1
    await cache.find(ACME)
    records.failure = None
    records.rows[ACME] = tenant(secret="two")
    clock.now += STALE_WINDOW_S
    assert cache.peek(ACME) is None
    assert await cache.find(ACME) == tenant(secret="two")


async def test_records_that_are_down_are_asked_once_per_pause_for_all_tenants(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    records.rows[OTHER] = tenant(OTHER)
    await cache.find(ACME)
    await cache.find(OTHER)
    records.failure, clock.now = Unavailable("down"), TTL_S + 1
    await cache.find(ACME)
    asked = records.finds
    assert await cache.find(OTHER) == tenant(OTHER)
    assert records.finds == asked


async def test_one_unreadable_tenant_does_not_delay_the_others(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    records.rows[OTHER] = tenant(OTHER)
    await cache.find(ACME)
    await cache.find(OTHER)
    records.failure, clock.now = TypeError("this row only"), TTL_S + 1
    await cache.find(ACME)
    records.failure = None
    records.rows[OTHER] = tenant(OTHER, "two")
    assert await cache.find(OTHER) == tenant(OTHER, "two")


async def test_a_stale_tenant_is_served_for_a_day(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.failure, clock.now = Unavailable("down"), STALE_S - 1
    assert await cache.find(ACME) == tenant()
    clock.now = STALE_S
    assert cache.peek(ACME) is None
    with pytest.raises(Unavailable):
        await cache.find(ACME)


async def test_a_request_during_the_first_read_of_the_names_waits_for_it(cache: TenantCache, records: Records) -> None:
    records.hanging = asyncio.Event()
    first = asyncio.ensure_future(cache.find(ACME))
    await settle(lambda: records.name_reads)
    second = asyncio.ensure_future(cache.find(ACME))
    await settle()
    records.hanging.set()
    assert [await first, await second] == [records.rows[ACME]] * 2
    assert (records.name_reads, records.finds) == (1, 1)


async def test_a_tenant_that_is_not_cached_needs_the_records(cache: TenantCache, records: Records) -> None:
    records.failure = RuntimeError("any error")
    with pytest.raises(Unavailable):
        await cache.find(ACME)
    assert await cache.refresh(ACME) is None


async def test_a_deleted_tenant_is_forgotten(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    del records.rows[ACME]
    clock.now = TTL_S + 0.1
    assert await cache.find(ACME) is None
    asked = records.finds
    assert await cache.find(ACME) is None
    assert records.finds == asked


async def test_unknown_names_cost_no_look_up_and_evict_nobody(cache: TenantCache, records: Records) -> None:
    await cache.find(ACME)
    for number in range(1_000):
        assert await cache.find(TenantName(f"ghost{number}")) is None
    assert (records.finds, records.name_reads) == (1, 1)
    assert cache.peek(ACME) == tenant()


async def test_a_flood_of_unknown_names_reads_the_names_at_intervals(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    """Each request is about to be refused, so each refreshes; the reads are bounded by the pause."""
    for number in range(100):
        clock.now = number * 0.01
        await cache.find(TenantName(f"ghost{number}"))
        await cache.refresh(TenantName(f"ghost{number}"))
    assert records.finds == 0
    assert records.name_reads <= 1 + 1.0 / NAMES_PAUSE_S


async def test_a_new_tenant_is_found_before_it_is_refused(cache: TenantCache, records: Records, clock: Clock) -> None:
    assert await cache.find(GHOST) is None
    records.rows[GHOST] = tenant(GHOST)
    clock.now = NAMES_PAUSE_S
    assert await cache.find(GHOST) is None, "the names are cached for a lifetime"
    assert await cache.refresh(GHOST) == tenant(GHOST)
    assert cache.peek(GHOST) == tenant(GHOST)


async def test_a_new_tenant_is_found_after_the_lifetime_of_the_names(
    cache: TenantCache, records: Records, clock: Clock
) -> None:
    assert await cache.find(GHOST) is None
    records.rows[GHOST] = tenant(GHOST)
    clock.now = TTL_S
    assert await cache.find(GHOST) == tenant(GHOST)


async def test_names_that_were_read_outlive_the_records(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.failure, clock.now = Unavailable("down"), TTL_S + 1
    assert await cache.find(GHOST) is None


async def test_a_refresh_reads_a_tenant_once_per_second(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.rows[ACME] = tenant(secret="two")
    assert await cache.refresh(ACME) == tenant()
    clock.now = REFRESH_PAUSE_S
    assert await asyncio.gather(*(cache.refresh(ACME) for _ in range(9))) == [tenant(secret="two")] * 9
    assert await cache.refresh(ACME) == tenant(secret="two")
    assert records.finds == 2
    assert cache.peek(ACME) == tenant(secret="two")


async def test_a_refresh_that_fails_is_not_repeated_at_once(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.failure, clock.now = TypeError("this row only"), REFRESH_PAUSE_S
    for _ in range(5):
        assert await cache.refresh(ACME) == tenant()
    assert records.finds == 2


async def test_closing_ends_the_reads_in_the_background(cache: TenantCache, records: Records, clock: Clock) -> None:
    await cache.find(ACME)
    records.hanging, clock.now = asyncio.Event(), 0.9 * TTL_S
    cache.peek(ACME)
    await settle(lambda: records.finds == 2)
    await cache.close()
    assert cache._background == set()
    assert cache.failures == 0


async def test_a_ping_asks_the_records(cache: TenantCache, records: Records) -> None:
    await cache.ping()
    records.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        await cache.ping()
