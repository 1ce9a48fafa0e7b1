"""Behind the reply: the write-behind cache writes what was stored, within a bound."""

import asyncio

from proxy.caching.write_behind import WriteBehindCache
from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP


class Slow:
    """A stack whose durable tier takes what it is given when it is let."""

    def __init__(self) -> None:
        self.memory: dict[DerivativeKey, Derivative] = {}
        self.durable: dict[DerivativeKey, Derivative] = {}
        self.let = asyncio.Event()
        self.out = False

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        return ("memory", self.memory[key]) if key in self.memory else None

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        return ("files", self.durable[key]) if key in self.durable else None

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        self.memory[key] = derivative

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        await self.let.wait()
        if self.out:
            raise Unavailable("full disk")
        self.durable[key] = derivative


def key(number: int) -> DerivativeKey:
    return DerivativeKey(f"5-8.18.7/acme/0/aa/{'a' * 64}/{number:064x}")


PICTURE = Derivative(b"x" * 100, WEBP, 1, 1)


async def test_what_is_kept_is_found_before_it_is_written_and_written_behind() -> None:
    stack = Slow()
    shelf = WriteBehindCache(stack)
    writing = asyncio.create_task(shelf.write())
    shelf.store(key(1), PICTURE)
    stack.memory.clear()
    assert await shelf.find(key(1)) == ("memory", PICTURE)
    stack.let.set()
    await asyncio.wait_for(shelf.drain(), 5)
    assert stack.durable == {key(1): PICTURE}
    assert shelf.pending_bytes == 0
    writing.cancel()


async def test_the_line_of_writes_is_bounded_in_bytes() -> None:
    shelf = WriteBehindCache(Slow(), budget_bytes=250)
    for number in range(5):
        shelf.store(key(number), PICTURE)
    assert (shelf.pending_bytes, shelf.left_out) == (200, 3)


async def test_a_tier_that_is_out_does_not_stop_the_line() -> None:
    stack = Slow()
    stack.let.set()
    stack.out = True
    shelf = WriteBehindCache(stack)
    writing = asyncio.create_task(shelf.write())
    shelf.store(key(1), PICTURE)
    await asyncio.wait_for(shelf.drain(), 5)
    stack.out = False
    shelf.store(key(2), PICTURE)
    await asyncio.wait_for(shelf.drain(), 5)
    assert set(stack.durable) == {key(2)}
    writing.cancel()
