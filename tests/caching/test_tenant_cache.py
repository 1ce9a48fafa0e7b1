"""Tenants at hand: read once, read again in time, and kept while the records are out."""

import asyncio

import pytest

from proxy.caching.tenant_cache import TenantCache
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant
from proxy.core.url.signing import SigningKey

ACME = TenantName("acme")


class RenderRecords:
    """Tenants in a dictionary, which can be out."""

    def __init__(self) -> None:
        self.rows = {ACME: Tenant(ACME, (SigningKey.derive("one"),))}
        self.out = False
        self.asked = 0

    async def find(self, name: TenantName) -> Tenant | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.out:
            raise Unavailable("out")
        return self.rows.get(name)

    async def ping(self) -> None:
        if self.out:
            raise Unavailable("out")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def records() -> RenderRecords:
    return RenderRecords()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(records: RenderRecords, clock: Clock) -> TenantCache:
    return TenantCache(records, ttl_s=5.0, size=3, clock=clock)


async def test_a_tenant_is_read_once_while_it_is_fresh(cache: TenantCache, records: RenderRecords) -> None:
    found = await asyncio.gather(*(cache.find(ACME) for _ in range(20)))
    assert {one and one.name for one in found} == {ACME}
    await cache.find(ACME)
    assert records.asked == 1


async def test_a_change_is_seen_after_the_lifetime(cache: TenantCache, records: RenderRecords, clock: Clock) -> None:
    await cache.find(ACME)
    records.rows[ACME] = Tenant(ACME, (SigningKey.derive("two"),))
    clock.now = 4.9
    assert await cache.find(ACME) != records.rows[ACME]
    clock.now = 5.1
    assert await cache.find(ACME) == records.rows[ACME]


async def test_a_known_tenant_outlives_the_records(cache: TenantCache, records: RenderRecords, clock: Clock) -> None:
    before = await cache.find(ACME)
    records.out, clock.now = True, 1_000_000.0
    assert await cache.find(ACME) == before
    asked = records.asked
    assert await cache.find(ACME) == before
    assert records.asked == asked, "while the records are out they are asked once a lifetime, not once a request"


async def test_an_unknown_tenant_cannot_be_told_while_the_records_are_out(
    cache: TenantCache, records: RenderRecords
) -> None:
    records.out = True
    with pytest.raises(Unavailable):
        await cache.find(TenantName("new"))


async def test_names_that_do_not_exist_are_remembered_within_the_bound(
    cache: TenantCache, records: RenderRecords
) -> None:
    for _ in range(2):
        assert await cache.find(TenantName("ghost")) is None
    assert records.asked == 1
    for number in range(10):
        await cache.find(TenantName(f"ghost{number}"))
    assert len(cache._known) == 3
