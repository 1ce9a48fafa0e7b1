"""Several tiers as one: a tier that is out or slow is skipped, and a hit is copied into the faster tiers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.files import FileDerivatives
from proxy.adapters.memory import MemoryDerivatives
from proxy.adapters.redis import RedisDerivatives
from proxy.caching.tiers import TieredCache
from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.derivative import Derivative
from tests.adapters.samples import ACME, LIMIT_BYTES, PICTURE, SMALL, key, named
from tests.patience import until
from tests.servers.redis import OwnRedis

if TYPE_CHECKING:
    from proxy.ports import Derivatives


@pytest.fixture
def broken_files(tmp_path: Path) -> Iterator[FileDerivatives]:
    """Provide a durable tier that is out: its folder is a file."""
    root = tmp_path / "no folder"
    root.write_bytes(b"")
    derivatives = FileDerivatives(root, LIMIT_BYTES)
    yield derivatives
    derivatives.close()


async def got(tier: MemoryDerivatives | RedisDerivatives) -> None:
    """Wait until a tier has the picture; the test's time-out bounds it."""
    while await tier.get(key("one")) != PICTURE:  # noqa: ASYNC110 - another server has no event
        await asyncio.sleep(0.01)


async def test_a_put_reaches_every_tier(
    memory_derivatives: MemoryDerivatives, redis_derivatives: RedisDerivatives, file_derivatives: FileDerivatives
) -> None:
    tiers: list[Derivatives] = [memory_derivatives, redis_derivatives, file_derivatives]
    await TieredCache(tiers).put(key("one"), PICTURE)
    for tier in tiers:
        assert await tier.get(key("one")) == PICTURE


async def test_a_hit_tells_its_tier_and_climbs_into_the_faster_ones(
    memory_derivatives: MemoryDerivatives, redis_derivatives: RedisDerivatives, file_derivatives: FileDerivatives
) -> None:
    tiers = TieredCache([memory_derivatives, redis_derivatives, file_derivatives])
    await file_derivatives.put(key("one"), PICTURE)
    assert await tiers.find(key("one")) == ("files", PICTURE)
    assert tiers.peek(key("one")) == ("memory", PICTURE)
    assert await tiers.find(key("one")) == ("memory", PICTURE)
    await got(redis_derivatives)


async def test_a_hit_in_the_middle_climbs_and_does_not_sink(
    memory_derivatives: MemoryDerivatives, redis_derivatives: RedisDerivatives, file_derivatives: FileDerivatives
) -> None:
    tiers = TieredCache([memory_derivatives, redis_derivatives, file_derivatives])
    await redis_derivatives.put(key("one"), PICTURE)
    assert await tiers.find(key("one")) == ("redis", PICTURE)
    assert memory_derivatives.peek(key("one")) == PICTURE
    assert await file_derivatives.get(key("one")) is None


async def test_a_tier_that_is_out_is_passed_over_and_counted(
    memory_derivatives: MemoryDerivatives, file_derivatives: FileDerivatives, own_redis: OwnRedis
) -> None:
    redis = RedisDerivatives(own_redis.url, LIMIT_BYTES, ttl_s=60)
    skipped: list[str] = []
    tiers = TieredCache([memory_derivatives, redis, file_derivatives], on_skip=skipped.append)
    own_redis.kill()
    await tiers.put(key("one"), PICTURE)
    assert await file_derivatives.get(key("one")) == PICTURE
    cold = TieredCache([redis, file_derivatives], on_skip=skipped.append)
    assert await cold.find(key("one")) == ("files", PICTURE)
    assert set(skipped) == {"redis"}
    await cold.close()
    await redis.close()


async def test_a_tier_that_goes_out_is_logged_once_and_so_is_its_return(
    redis_url: str, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "darkroom.tiers")
    redis = RedisDerivatives(own_redis.url, LIMIT_BYTES, ttl_s=60)
    tiers = TieredCache([redis])
    own_redis.kill()
    for _ in range(5):
        assert await tiers.get(key("one")) is None
    own_redis.start()
    await redis.ping()
    assert await tiers.get(key("one")) is None
    assert [record.message.split(":")[0] for record in caplog.records] == ["tier out", "tier back"]
    await redis.close()


async def test_a_put_is_refused_when_no_durable_tier_takes_it(
    memory_derivatives: MemoryDerivatives, broken_files: FileDerivatives
) -> None:
    tiers = TieredCache([memory_derivatives, broken_files])
    with pytest.raises(Unavailable):
        await tiers.put(key("one"), PICTURE)
    assert await tiers.find(key("one")) == ("memory", PICTURE)


async def test_a_put_is_taken_when_one_of_two_durable_tiers_takes_it(
    broken_files: FileDerivatives, redis_derivatives: RedisDerivatives
) -> None:
    tiers = TieredCache([broken_files, redis_derivatives], durable=2)
    await tiers.put(key("one"), PICTURE)
    assert await tiers.get(key("one")) == PICTURE


async def test_a_get_is_a_miss_when_every_tier_is_out(broken_files: FileDerivatives) -> None:
    assert await TieredCache([broken_files]).get(key("one")) is None


async def test_a_ping_reports_each_tier_and_fails_for_the_durable_alone(
    memory_derivatives: MemoryDerivatives, file_derivatives: FileDerivatives, own_redis: OwnRedis
) -> None:
    redis = RedisDerivatives(own_redis.url, LIMIT_BYTES, ttl_s=60)
    own_redis.kill()
    tiers = TieredCache([memory_derivatives, redis, file_derivatives])
    report = await tiers.report()
    assert {name for name, failure in report.items() if failure} == {"redis"}
    assert set(report) == {"memory", "redis", "files"}
    await tiers.ping()
    with pytest.raises(Unavailable):
        await TieredCache([file_derivatives, redis]).ping()
    await redis.close()


async def test_tiers_are_made_of_tiers(
    memory_derivatives: MemoryDerivatives, redis_derivatives: RedisDerivatives, file_derivatives: FileDerivatives
) -> None:
    inner = TieredCache([memory_derivatives, file_derivatives])
    outer = TieredCache([redis_derivatives, inner])
    await inner.put(key("one"), PICTURE)
    assert await outer.find(key("one")) == ("tiers", PICTURE)
    await got(redis_derivatives)
    await outer.close()


class FakeTier:
    """A tier in a dictionary; every method first runs `before`."""

    def __init__(self, name: str, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.name = name
        self.content: dict[DerivativeKey, Derivative] = {}
        self.purged: list[tuple[TenantName, Digest | None]] = []
        self._before = before

    async def get(self, key: DerivativeKey) -> Derivative | None:
        await self._prepare()
        return self.content.get(key)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        await self._prepare()
        self.content[key] = derivative

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        await self._prepare()
        self.purged.append((tenant, original))
        return 1

    async def ping(self) -> None:
        await self._prepare()

    async def _prepare(self) -> None:
        if self._before:
            await self._before()


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise Unavailable("out")


async def take_longer() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_tier_that_hangs_is_skipped_and_the_next_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.caching.tiers._LOOK_UP_S", 0.01)
    skipped: list[str] = []
    durable = FakeTier("s3")
    tiers = TieredCache([FakeTier("redis", hang), durable], on_skip=skipped.append)
    durable.content[key("one")] = PICTURE
    assert await tiers.find(key("one")) == ("s3", PICTURE)
    assert skipped == ["redis"]
    await tiers.close()


async def test_a_caller_that_is_cancelled_is_not_a_tier_that_is_out() -> None:
    skipped: list[str] = []
    tiers = TieredCache([FakeTier("s3", hang)], on_skip=skipped.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await tiers.find(key("one"))
    assert skipped == []


@pytest.mark.parametrize("failing", ["redis", "s3"])
async def test_a_purge_reaches_every_tier_and_reports_the_one_that_failed(failing: str) -> None:
    tiers = [FakeTier(name, fail if name == failing else take_longer) for name in ("memory", "redis", "s3")]
    with pytest.raises(Unavailable):
        await TieredCache(tiers).purge(ACME, named(SMALL))
    assert {tier.name for tier in tiers if tier.purged} == {"memory", "redis", "s3"} - {failing}
    assert all(tier.purged in ([], [(ACME, named(SMALL))]) for tier in tiers)


async def test_a_copy_that_fails_unexpectedly_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def break_() -> None:
        if asyncio.current_task() is not looking_up:
            raise RuntimeError("a bug")

    looking_up = asyncio.current_task()
    durable = FakeTier("s3")
    tiers = TieredCache([FakeTier("redis", break_), durable])
    durable.content[key("one")] = PICTURE
    await tiers.find(key("one"))
    await until(lambda: "not copied" in caplog.text)
    assert "a bug" in caplog.text
