"""Behind the reply: the shelf writes what was kept, the render_log what was learnt; both bounded, both patient."""

import asyncio
from collections.abc import Sequence

import pytest

from proxy.caching.write_behind import WriteBehindCache
from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG, WEBP
from proxy.delivery.render_log import RenderLog
from proxy.ports import RenderRecord


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


class Ledger:
    """RenderRecords that can be out."""

    def __init__(self) -> None:
        self.rows: list[RenderRecord] = []
        self.out = False

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        if self.out:
            raise Unavailable("out")
        self.rows.extend(batch)


def rendered(number: int) -> RenderRecord:
    facts = Facts(JPEG, 10, 10)
    return RenderRecord(TenantName("acme"), Digest("a" * 64), key(number), "w1-webp", facts, "webp", 1, 1, 100, 0.01)


async def test_what_was_noted_is_written_at_the_end() -> None:
    ledger = Ledger()
    render_log = RenderLog(ledger)
    writing = asyncio.create_task(render_log.write())
    await asyncio.sleep(0)
    for number in range(450):
        render_log.append(rendered(number))
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert [row.key for row in ledger.rows] == [key(number) for number in range(450)]


async def test_pending_wait_while_the_records_are_out_and_the_oldest_go_first() -> None:
    ledger = Ledger()
    ledger.out = True
    render_log = RenderLog(ledger, size=300)
    for number in range(310):
        render_log.append(rendered(number))
    await render_log._write_all()
    assert (len(render_log._pending), render_log.given_up) == (300, 10)
    ledger.out = False
    await render_log._write_all()
    assert [row.key for row in ledger.rows] == [key(number) for number in range(10, 310)]
