"""Redis: stalled, killed, damaged."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from proxy.adapters.redis import RedisDerivatives
from proxy.adapters.serialization import deserialize, serialize
from proxy.core.errors import Unavailable
from tests.adapters.samples import LARGE_PICTURE, LIMIT_BYTES, OTHER_PICTURE, PICTURE, key
from tests.servers.cutter import Cutter, open_cutter
from tests.servers.redis import OwnRedis


@pytest.fixture
async def cutter(own_redis: OwnRedis) -> AsyncIterator[Cutter]:
    parts = urlsplit(own_redis.url)
    async with open_cutter(parts.hostname or "", parts.port or 0) as cutter:
        yield cutter


@asynccontextmanager
async def redis_at(url: str) -> AsyncIterator[RedisDerivatives]:
    derivatives = RedisDerivatives(url, LIMIT_BYTES, ttl_s=60)
    yield derivatives
    await derivatives.close()


async def open_breaker(derivatives: RedisDerivatives) -> None:
    for _ in range(3):
        with pytest.raises(Unavailable):
            await derivatives.get(key("one"))


async def recovered(derivatives: RedisDerivatives) -> None:
    """Ask until the breaker lets a probe through and it succeeds; the test's time-out bounds it."""
    while True:
        with suppress(Unavailable):
            await derivatives.get(key("one"))
            return
        await asyncio.sleep(0.05)


async def test_a_stalled_redis_is_unavailable_and_used_again_once_it_goes_on(own_redis: OwnRedis) -> None:
    async with redis_at(own_redis.url) as derivatives:
        await derivatives.put(key("one"), PICTURE)
        own_redis.stall()
        async with asyncio.timeout(10):
            await open_breaker(derivatives)
        own_redis.resume()
        await recovered(derivatives)
        assert await derivatives.get(key("one")) == PICTURE


async def test_a_redis_stalled_from_the_start_is_unavailable(own_redis: OwnRedis) -> None:
    own_redis.stall()
    async with redis_at(own_redis.url) as derivatives, asyncio.timeout(10):
        await open_breaker(derivatives)


async def test_a_killed_redis_is_unavailable_and_used_again_once_it_is_back(own_redis: OwnRedis) -> None:
    async with redis_at(own_redis.url) as derivatives:
        await derivatives.put(key("one"), PICTURE)
        own_redis.kill()
        await open_breaker(derivatives)
        own_redis.start()
        await recovered(derivatives)
        await derivatives.put(key("one"), OTHER_PICTURE)
        assert await derivatives.get(key("one")) == OTHER_PICTURE


async def test_an_open_breaker_spares_the_calls(cutter: Cutter) -> None:
    async with redis_at(f"redis://{cutter.host}:{cutter.port}/0") as derivatives:
        cutter.stall()
        await open_breaker(derivatives)
        before = cutter.connections
        for _ in range(100):
            with pytest.raises(Unavailable):
                await derivatives.put(key("one"), PICTURE)
        # a probe is let through per pause, and a hundred refusals may outlast one on a slow machine
        assert cutter.connections - before <= 2


async def test_a_ping_closes_the_breaker_of_a_redis_that_is_back(cutter: Cutter) -> None:
    async with redis_at(f"redis://{cutter.host}:{cutter.port}/0") as derivatives:
        await cutter.refuse()
        await open_breaker(derivatives)
        with pytest.raises(Unavailable):
            await derivatives.ping()
        await cutter.restore()
        await derivatives.ping()
        assert await derivatives.get(key("one")) is None


async def test_an_answer_cut_in_the_middle_is_unavailable(cutter: Cutter) -> None:
    async with redis_at(f"redis://{cutter.host}:{cutter.port}/0") as derivatives:
        await derivatives.put(key("one"), LARGE_PICTURE)
        cutter.cut_after(1_000_000)
        with pytest.raises(Unavailable):
            await derivatives.get(key("one"))
        await cutter.restore()
        assert await derivatives.get(key("one")) == LARGE_PICTURE


async def test_a_damaged_value_is_a_miss_and_can_be_put_again(
    redis_derivatives: RedisDerivatives, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"darkroom:d:{key('one')}", b"damaged")
    assert await redis_derivatives.get(key("one")) is None
    await redis_derivatives.put(key("one"), PICTURE)
    assert await redis_derivatives.get(key("one")) == PICTURE


async def test_a_value_ends_with_its_time(redis_derivatives: RedisDerivatives, redis_url: str) -> None:
    await redis_derivatives.put(key("one"), PICTURE)
    async with Redis.from_url(redis_url) as redis:
        assert 0 < await redis.ttl(f"darkroom:d:{key('one')}") <= 60


async def test_a_redis_that_is_full_refuses_puts_and_still_gives(own_redis: OwnRedis) -> None:
    async with redis_at(own_redis.url) as derivatives, Redis.from_url(own_redis.url) as redis:
        await derivatives.put(key("one"), PICTURE)
        await redis.config_set("maxmemory", 1)
        for number in range(5):
            with pytest.raises(Unavailable):
                await derivatives.put(key(str(number)), OTHER_PICTURE)
        assert await derivatives.get(key("one")) == PICTURE


async def test_more_calls_than_connections_are_all_answered(redis_derivatives: RedisDerivatives) -> None:
    await redis_derivatives.put(key("one"), PICTURE)
    answers = await asyncio.gather(*(redis_derivatives.get(key("one")) for _ in range(100)))
    assert answers == [PICTURE] * 100


async def test_a_cancelled_call_does_not_give_its_answer_to_the_next(redis_derivatives: RedisDerivatives) -> None:
    await redis_derivatives.put(key("one"), LARGE_PICTURE)
    await redis_derivatives.put(key("two"), PICTURE)
    for pause_s in (0, 0.0005, 0.001, 0.002, 0.004):
        task = asyncio.ensure_future(redis_derivatives.get(key("one")))
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await redis_derivatives.get(key("two")) == PICTURE


async def test_a_value_under_another_key_is_a_miss(redis_derivatives: RedisDerivatives, redis_url: str) -> None:
    await redis_derivatives.put(key("one"), PICTURE)
    async with Redis.from_url(redis_url) as redis:
        await redis.rename(f"darkroom:d:{key('one')}", f"darkroom:d:{key('two')}")
    assert await redis_derivatives.get(key("two")) is None


async def test_large_values_are_serialized_and_read_in_threads(
    redis_derivatives: RedisDerivatives, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def recorded(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            threads.append(threading.get_ident())
            return function(*arguments)

        return call

    monkeypatch.setattr("proxy.adapters.redis.serialize", recorded(serialize))
    monkeypatch.setattr("proxy.adapters.redis.deserialize", recorded(deserialize))
    await redis_derivatives.put(key("one"), LARGE_PICTURE)
    assert await redis_derivatives.get(key("one")) == LARGE_PICTURE
    assert len(threads) == 2
    assert threading.get_ident() not in threads
