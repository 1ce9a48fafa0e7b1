"""Refused originals: read whole, then what changed; outages, late commits, and a generation with each change."""

import asyncio
from collections.abc import Collection

import pytest

from proxy.caching import refused_originals
from proxy.caching.refused_originals import RELOAD_S, RefusedOriginals
from proxy.core.errors import Unavailable
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import OriginalName
from tests.http.world import ACME, MemoryRefusals
from tests.patience import until

ONE, OTHER = Digest("1" * 64), Digest("2" * 64)


class World:
    """A reader over records in memory, and a clock that tests move."""

    def __init__(self) -> None:
        self.records = MemoryRefusals()
        self.forgotten: list[set[OriginalName]] = []
        self.now_s = 0.0
        self.reader = RefusedOriginals(self.records, self.forget, lambda: self.now_s)

    async def forget(self, originals: Collection[OriginalName]) -> None:
        self.forgotten.append(set(originals))

    def refused(self, *originals: Digest) -> bool:
        return all(self.reader.is_refused(ACME, original) for original in originals)


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_delivered_before_the_first_complete_read(world: World) -> None:
    with pytest.raises(Unavailable, match="not been read yet"):
        world.reader.is_refused(ACME, ONE)
    with pytest.raises(Unavailable):
        await world.reader.check()
    world.records.error = Unavailable("out")
    with pytest.raises(Unavailable):
        await world.reader.read()
    assert not world.reader.loaded.is_set()
    world.records.error = None
    await world.reader.read()
    assert world.reader.loaded.is_set()
    await world.reader.check()
    assert not world.refused(ONE)


async def test_refusals_come_and_go_each_with_a_generation_and_once(world: World) -> None:
    world.records.write(ONE, refused=True)
    await world.reader.read()
    assert world.refused(ONE)
    assert world.reader.count == 1
    assert not world.reader.is_refused(TenantName("zoo"), ONE)
    generation = world.reader.generation
    await world.reader.read()
    world.records.write(OTHER, refused=True)
    await world.reader.read()
    world.records.write(ONE, refused=False)
    await world.reader.read()
    assert not world.refused(ONE)
    assert world.refused(OTHER)
    # what the first complete read brought is seen once more as a change, as it may have changed during that read
    assert world.reader.generation == generation + 3
    await world.reader.read()
    assert world.reader.generation == generation + 3
    name, other = OriginalName(ACME, ONE), OriginalName(ACME, OTHER)
    assert world.forgotten == [{name}, {other}, {name}]


async def test_a_change_that_is_committed_late_is_seen(world: World) -> None:
    """It is dated before what was read, as transactions that overlap are."""
    world.records.write(ONE, refused=True)
    late = world.records.rows.pop(OriginalName(ACME, ONE))
    await world.reader.read()
    world.records.now_s += 20
    await world.reader.read()
    world.records.rows[late.name] = late
    await world.reader.read()
    assert world.refused(ONE)


async def test_one_that_is_committed_very_late_is_found_by_the_next_complete_read(world: World) -> None:
    world.records.write(ONE, refused=True)
    late = world.records.rows.pop(OriginalName(ACME, ONE))
    world.records.now_s += 100
    await world.reader.read()
    world.records.rows[late.name] = late
    await world.reader.read()
    assert not world.refused(ONE)
    world.now_s = RELOAD_S
    await world.reader.read()
    assert world.refused(ONE)


async def test_while_records_are_out_known_refusals_hold_and_what_was_missed_is_caught_up_with(world: World) -> None:
    world.records.write(ONE, refused=True)
    await world.reader.read()
    world.records.error = Unavailable("out")
    world.records.now_s += 1_000
    world.records.write(OTHER, refused=True)
    world.records.write(ONE, refused=False)
    with pytest.raises(Unavailable):
        await world.reader.read()
    assert world.refused(ONE)
    world.records.now_s += 1_000
    world.records.error = None
    await world.reader.read()
    assert world.refused(OTHER)
    assert not world.refused(ONE)


async def test_a_list_longer_than_a_page_is_read_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_originals, "PAGE", 2)
    originals = [Digest(f"{number:064x}"[::-1]) for number in range(1, 8)]
    for original in originals:
        world.records.write(original, refused=True)
    await world.reader.read()
    assert world.refused(*originals)
    world.records.write(originals[0], refused=False)
    for number in range(8, 13):
        originals.append(Digest(f"{number:064x}"[::-1]))
        world.records.write(originals[-1], refused=True)
    await world.reader.read()
    assert world.refused(*originals[1:])
    assert not world.refused(originals[0])


async def test_it_reads_on_whatever_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_originals, "PERIOD_S", 0.001)
    task = asyncio.create_task(world.reader.read_forever())
    await world.reader.loaded.wait()
    for error in (Unavailable("out"), ZeroDivisionError("broken")):
        failures = world.reader.failures
        world.records.error = error
        await until(lambda failures=failures: world.reader.failures > failures)  # type: ignore[misc]
    world.records.write(ONE, refused=True)
    assert not world.refused(ONE)
    world.records.error = None
    await until(lambda: world.refused(ONE))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_read_that_hangs_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_originals, "READ_S", 0.01)

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.records, "now", hang)
    with pytest.raises(TimeoutError):
        await world.reader.read()
