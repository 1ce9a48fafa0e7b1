"""Behind the reply: the write-behind cache writes what was stored, within a bound."""

import asyncio

import pytest

from proxy.caching.write_behind import WriteBehindCache
from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from tests.patience import until


class FakeTiers:
    """Tiers whose durable one takes a derivative once the test lets it, or fails."""

    def __init__(self) -> None:
        self.memory: dict[DerivativeKey, Derivative] = {}
        self.durable: dict[DerivativeKey, Derivative] = {}
        self.let = asyncio.Event()
        self.failure: Exception | None = None

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        return ("memory", self.memory[key]) if key in self.memory else None

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        return ("files", self.durable[key]) if key in self.durable else None

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        self.memory[key] = derivative

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        await self.let.wait()
        if self.failure:
            raise self.failure
        self.durable[key] = derivative


def key(number: int) -> DerivativeKey:
    return DerivativeKey(f"5-8.18.7/acme/0/aa/{'a' * 64}/{number:064x}")


PICTURE = Derivative(b"x" * 100, WEBP, 1, 1)


async def test_what_is_stored_is_found_before_it_is_written_and_written_behind() -> None:
    tiers = FakeTiers()
    cache = WriteBehindCache(tiers)
    writing = asyncio.create_task(cache.write())
    cache.store(key(1), PICTURE)
    tiers.memory.clear()
    assert await cache.find(key(1)) == ("memory", PICTURE)
    tiers.let.set()
    await asyncio.wait_for(cache.drain(), 5)
    assert tiers.durable == {key(1): PICTURE}
    assert cache.pending_bytes == 0
    writing.cancel()


async def test_the_queue_of_writes_is_bounded_in_bytes() -> None:
    cache = WriteBehindCache(FakeTiers(), budget_bytes=250)
    for number in range(5):
        cache.store(key(number), PICTURE)
    assert (cache.pending_bytes, cache.dropped) == (200, 3)


async def test_a_tier_that_is_out_does_not_stop_the_queue() -> None:
    tiers = FakeTiers()
    tiers.let.set()
    tiers.failure = Unavailable("full disk")
    cache = WriteBehindCache(tiers)
    writing = asyncio.create_task(cache.write())
    cache.store(key(1), PICTURE)
    await asyncio.wait_for(cache.drain(), 5)
    tiers.failure = None
    cache.store(key(2), PICTURE)
    await asyncio.wait_for(cache.drain(), 5)
    assert set(tiers.durable) == {key(2)}
    writing.cancel()


async def test_writers_survive_any_error_and_log_it(capsys: pytest.CaptureFixture[str]) -> None:
    tiers = FakeTiers()
    tiers.let.set()
    tiers.failure = RuntimeError("a bug in a tier")
    cache = WriteBehindCache(tiers)
    writing = asyncio.create_task(cache.write())
    for number in range(16):
        cache.store(key(number), PICTURE)
    await asyncio.wait_for(cache.drain(), 5)
    assert (cache.pending_bytes, cache._pending) == (0, {})
    assert capsys.readouterr().out.count("a bug in a tier") == 16
    assert cache.alive
    tiers.failure = None
    cache.store(key(1), PICTURE)
    await asyncio.wait_for(cache.drain(), 5)
    assert set(tiers.durable) == {key(1)}
    writing.cancel()


async def test_a_cache_is_alive_while_its_writers_run() -> None:
    cache = WriteBehindCache(FakeTiers())
    assert not cache.alive
    writing = asyncio.create_task(cache.write())
    await until(lambda: cache.alive)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert not cache.alive


async def test_a_write_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.caching.write_behind._WRITE_S", 0.01)
    cache = WriteBehindCache(FakeTiers())
    writing = asyncio.create_task(cache.write())
    cache.store(key(1), PICTURE)
    await asyncio.wait_for(cache.drain(), 5)
    assert cache.pending_bytes == 0
    writing.cancel()
