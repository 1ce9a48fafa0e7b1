"""Delivery in order: tiers, facts and limits, ticket, original, permit, worker, and what is stored behind it."""

import asyncio

import pytest

from proxy.core.errors import LimitExceeded, NotFound, ServerBusy, Unavailable
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from proxy.core.url.source_reference import write_reference
from proxy.delivery.service import Delivered
from tests.delivery.fakes import settle
from tests.delivery.world import ACME, BOLT, World


async def test_a_derivative_is_rendered_once_and_then_comes_from_memory() -> None:
    world = World()
    request = await world.request("w300-webp")
    assert world.delivery.peek(request) is None
    delivered = await world.delivery.deliver(request)
    assert (delivered.tier, delivered.joined) == ("render", False)
    assert [name for name, _ in delivered.stages] == ["fetch", "wait", "render"]
    assert delivered.derivative.body == b"300x200"
    assert world.delivery.peek(request) == ("memory", delivered.derivative)
    again = await world.delivery.deliver(request)
    assert (again.tier, again.derivative) == ("memory", delivered.derivative)
    assert world.pixels.rendered == 1


async def test_a_slower_tier_spares_the_fetch_and_the_render() -> None:
    world = World()
    request = await world.request("w300-webp")
    world.cache.files[request.key] = Derivative(b"stored", WEBP, 300, 200)
    delivered = await world.delivery.deliver(request)
    assert (delivered.tier, delivered.derivative.body) == ("files", b"stored")
    assert [name for name, _ in delivered.stages] == ["tier"]
    assert (world.originals.fetched, world.pixels.rendered) == ([], 0)


async def test_a_render_is_recorded() -> None:
    world = World()
    request = await world.request("w300-webp")
    await world.delivery.deliver(request)
    await world.render_log._write_all()
    records = world.render_log._records
    [row] = records.rows  # type: ignore[attr-defined]
    assert (row.tenant, row.original, row.key, row.recipe) == (ACME, world.digest, request.key, "w300-webp")
    assert (row.derivative_format, row.width, row.height, row.size_bytes, row.render_s) == ("webp", 300, 200, 7, 0.25)


async def test_the_original_is_closed_after_the_render_and_after_a_failure() -> None:
    world = World()
    await world.error("w300-webp")
    world.pixels.error = Unavailable("out")
    await world.error("w301-webp")
    assert len(world.originals.handles) == 2
    assert world.originals.held == 0


async def test_two_hundred_requests_share_one_render_and_only_one_of_them_led_it() -> None:
    world = World()
    request = await world.request("w300-webp")
    results = await asyncio.gather(*(world.delivery.deliver(request) for _ in range(200)))
    assert (world.pixels.rendered, len(world.originals.fetched), world.cache.finds) == (1, 1, 1)
    led = [delivered for delivered in results if not delivered.joined]
    joined = [delivered for delivered in results if delivered.joined]
    assert ([delivered.tier for delivered in led], len(joined)) == (["render"], 199)
    assert set(joined) == {Delivered(led[0].derivative, "coalesced", (), joined=True)}


async def test_refused_requests_fetch_nothing() -> None:
    world = World(permits=1, queue_length=2)
    world.pixels.door.close()
    accepted = [await world.start(f"w{width}-webp") for width in (10, 11, 12)]
    for width in range(100, 150):
        assert isinstance(await world.error(f"w{width}-webp"), ServerBusy)
    assert len(world.originals.fetched) == 3
    assert world.originals.held == 3
    world.pixels.door.open()
    assert {delivered.tier for delivered in await asyncio.gather(*accepted)} == {"render"}


async def test_fetches_are_bounded() -> None:
    world = World(permits=1, queue_length=50, fetches=3)
    world.originals.door.close()
    tasks = [await world.start(f"w{width}-webp") for width in range(10, 30)]
    assert len(world.originals.fetched) == 3
    world.originals.door.open()
    await asyncio.gather(*tasks)
    assert world.originals.door.most == 3


async def test_unknown_originals_of_one_tenant_do_not_delay_another() -> None:
    world = World(permits=1, queue_length=50, fetches=1)
    digest = world.originals.add(BOLT, b"another original")
    world.originals.door.close()
    flood = [await world.start("w10-webp", f"{number:064x}") for number in range(40)]
    other = await world.start("w10-webp", digest, BOLT)
    world.originals.door.open()
    assert (await other).tier == "render"
    assert world.originals.fetched.index((BOLT, digest)) <= 2
    results = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(error) for error in results} == {NotFound}


async def test_a_flood_of_fetches_makes_room_for_another_tenant() -> None:
    world = World(permits=1, queue_length=5, fetches=32)
    digest = world.originals.add(BOLT, b"another original")
    world.originals.door.close()
    flood = [await world.start("w10-webp", f"{number:064x}") for number in range(6)]
    other = await world.start("w10-webp", digest, BOLT)
    assert isinstance(flood[-1].exception(), ServerBusy)
    assert world.originals.door.cancelled == 1
    world.originals.door.open()
    assert (await other).tier == "render"
    await asyncio.gather(*flood, return_exceptions=True)


async def test_what_known_facts_exclude_takes_no_ticket_and_fetches_nothing() -> None:
    world = World(permits=1, queue_length=1)
    await world.error("w300-webp")
    digest = world.originals.add(ACME, b"another original")
    world.pixels.door.close()
    full = [await world.start(f"w{width}-webp", digest) for width in (10, 11)]
    fetched = len(world.originals.fetched)
    world.limit(output_side=100)
    assert isinstance(await world.error("w200-webp"), LimitExceeded)
    world.limit(source_bytes=5)
    error = await world.error("w20-webp")
    assert isinstance(error, LimitExceeded)
    assert error.limit == "source_bytes"
    assert len(world.originals.fetched) == fetched
    world.pixels.door.open()
    await asyncio.gather(*full)


async def test_facts_are_learnt_once() -> None:
    world = World()
    await world.error("w300-webp")
    request = await world.request("w301-webp")
    world.pixels.facts = world.pixels.facts.__class__(WEBP, 1, 1)
    await world.delivery.deliver(request)
    assert world.cache.memory[request.key].body == b"301x201"


async def test_facts_belong_to_a_tenant() -> None:
    world = World()
    await world.error("json")
    error = await world.error("json", name=BOLT)
    assert isinstance(error, NotFound)
    with pytest.raises(NotFound):
        await world.delivery.inspect(await world.request("w10-webp", name=BOLT))


async def test_an_original_over_the_byte_limit_reaches_no_worker() -> None:
    world = World()
    world.limit(source_bytes=5)
    assert isinstance(await world.error("w10-webp"), LimitExceeded)
    assert (world.pixels.rendered, world.originals.held) == (0, 0)


async def test_a_watermark_is_fetched_on_the_same_ticket() -> None:
    world = World(permits=1, queue_length=1, fetches=1)
    watermark = world.with_watermark()
    world.pixels.door.close()
    tasks = [await world.start(f"w{width}-wm_logo-webp") for width in (100, 101)]
    assert isinstance(await world.error("w102-wm_logo-webp"), ServerBusy)
    assert world.originals.fetched == [(ACME, world.digest), (ACME, watermark)] * 2
    world.pixels.door.open()
    await asyncio.gather(*tasks)
    assert all(handle in world.originals.handles for handle in world.pixels.watermarks)
    assert (world.originals.held, world.originals.door.most) == (0, 1)


async def test_watermarks_count_as_fetches() -> None:
    world = World(permits=1, queue_length=10, fetches=1)
    world.with_watermark()
    world.originals.door.close()
    tasks = [await world.start(f"w{width}-wm_logo-webp") for width in (100, 101)]
    world.originals.door.open()
    world.originals.door.close()
    await settle()  # the first has its original and goes on to its watermark, the second to its original
    assert (len(world.originals.fetched), world.originals.door.inside) == (2, 1)
    world.originals.door.open()
    await asyncio.gather(*tasks)
    assert world.originals.door.most == 1


async def test_a_watermark_that_is_missing_closes_the_original() -> None:
    world = World()
    world.with_watermark(stored=False)
    assert isinstance(await world.error("w100-wm_logo-webp"), NotFound)
    assert world.originals.held == 0
    assert await world.error("w100-webp") is None


async def test_a_resolved_original_that_was_lost_is_asked_for_again() -> None:
    world = World()
    cat = write_reference("https://host/cat.jpg")
    request = await world.request("w300-webp", cat)
    world.originals.stored.pop((ACME, request.original))
    with pytest.raises(Unavailable, match="no longer stored"):
        await world.delivery.deliver(request)
    await settle()
    assert (await world.delivery.deliver(await world.request("w300-webp", cat))).tier == "render"
    assert len(world.source.conditions) == 2
