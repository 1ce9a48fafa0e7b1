"""The render log: batches in order, bounded, patient with a database that is out, and never ended by an error."""

import asyncio

import pytest
from structlog.testing import capture_logs

from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.delivery.render_log import RenderLog
from proxy.ports import RenderRecord
from tests.delivery.fakes import MemoryRecords, advance, settle


def key(number: int) -> DerivativeKey:
    return DerivativeKey(f"5-8.18.7/acme/0/aa/{'a' * 64}/{number:064x}")


def rendered(number: int) -> RenderRecord:
    facts = Facts(JPEG, 10, 10)
    return RenderRecord(TenantName("acme"), Digest("a" * 64), key(number), "w1-webp", facts, "webp", 1, 1, 100, 0.01)


def written(records: MemoryRecords) -> list[int]:
    return [int(row.key.rpartition("/")[2], 16) for row in records.rows]


def filled(records: MemoryRecords, count: int, size: int = 10_000) -> RenderLog:
    render_log = RenderLog(records, size)
    for number in range(count):
        render_log.append(rendered(number))
    return render_log


async def stop(writing: "asyncio.Task[None]") -> None:
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_records_are_written_in_order_a_pause_after_they_were_added() -> None:
    records = MemoryRecords()
    render_log = filled(records, 450)
    writing = asyncio.create_task(render_log.write())
    await settle()
    assert records.rows == []
    await advance(2.0)
    assert written(records) == list(range(450))
    await stop(writing)


async def test_what_waits_is_written_at_the_end() -> None:
    records = MemoryRecords()
    render_log = RenderLog(records)
    writing = asyncio.create_task(render_log.write())
    await settle()
    for number in range(450):
        render_log.append(rendered(number))
    await stop(writing)
    assert written(records) == list(range(450))


async def test_the_batch_that_is_being_written_is_not_lost_at_the_end() -> None:
    records = MemoryRecords()
    render_log = filled(records, 250)
    writing = asyncio.create_task(render_log.write())
    await settle()
    records.door.close()
    await advance(2.0)
    assert records.door.inside == 1
    writing.cancel()
    await settle()
    records.door.open()
    await asyncio.gather(writing, return_exceptions=True)
    assert records.door.cancelled == 1
    assert written(records) == list(range(250))
    assert render_log.dropped == 0


@pytest.mark.parametrize("error", [Unavailable("out"), TimeoutError()])
async def test_while_the_database_is_out_records_wait_and_the_oldest_are_dropped(error: Exception) -> None:
    records = MemoryRecords()
    render_log = filled(records, 310, size=300)
    assert (render_log.waiting, render_log.dropped) == (300, 10)
    records.errors = [error]
    await render_log._write_all()
    assert (render_log.waiting, render_log.dropped) == (300, 10)
    await render_log._write_all()
    assert written(records) == list(range(10, 310))


async def test_what_waits_stays_bounded_while_the_database_is_out() -> None:
    records = MemoryRecords()
    render_log = filled(records, 300, size=300)
    records.errors = [Unavailable("out")] * 50
    for number in range(300, 350):
        await render_log._write_all()
        render_log.append(rendered(number))
    assert (render_log.waiting, render_log.dropped) == (300, 50)
    await render_log._write_all()
    numbers = written(records)
    assert (len(numbers), numbers[-1]) == (300, 349)
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("error", [RuntimeError("broken"), ValueError("strange"), KeyError("x")])
async def test_an_unexpected_error_drops_its_batch_is_logged_and_the_writer_goes_on(error: Exception) -> None:
    records = MemoryRecords()
    render_log = filled(records, 450)
    records.errors = [error]
    writing = asyncio.create_task(render_log.write())
    await settle()
    with capture_logs() as logs:
        await advance(2.0)
    assert [entry["event"] for entry in logs] == ["render records dropped"]
    assert (render_log.dropped, render_log.alive) == (200, True)
    await advance(2.0)
    assert written(records) == list(range(200, 450))
    await stop(writing)


async def test_an_error_each_time_never_ends_the_writer() -> None:
    records = MemoryRecords()
    render_log = RenderLog(records)
    records.errors = [RuntimeError("broken")] * 5
    writing = asyncio.create_task(render_log.write())
    await settle()
    for number in range(6):
        render_log.append(rendered(number))
        await advance(2.0)
    assert written(records) == [5]
    assert (render_log.dropped, render_log.waiting) == (5, 0)
    await stop(writing)


async def test_it_is_known_whether_the_writer_runs() -> None:
    render_log = RenderLog(MemoryRecords())
    states = [render_log.alive]
    writing = asyncio.create_task(render_log.write())
    await settle()
    states.append(render_log.alive)
    await stop(writing)
    assert [*states, render_log.alive] == [False, True, False]
