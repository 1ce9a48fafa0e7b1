"""HEAD and `json`: the header alone is read, once, on the same ticket and behind the same memory as a render."""

import asyncio
import json

import pytest

from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, ServerBusy
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import JPEG, JSON, WEBP
from tests.delivery.fakes import settle
from tests.delivery.world import ACME, World


async def test_the_format_is_known_from_the_header() -> None:
    world = World()
    assert await world.delivery.inspect(await world.request("w300-webp")) == (WEBP, None)
    assert await world.delivery.inspect(await world.request("w300")) == (JPEG, None)
    assert await world.delivery.inspect(await world.request("json")) == (JSON, None)
    assert (world.pixels.probed, world.pixels.rendered, len(world.originals.fetched)) == (1, 0, 1)


async def test_a_stored_derivative_is_returned() -> None:
    world = World()
    request = await world.request("w300-webp")
    stored = world.cache.files[request.key] = Derivative(b"stored", WEBP, 300, 200)
    assert await world.delivery.inspect(request) == (WEBP, stored)
    assert world.originals.fetched == []


async def test_facts_of_a_render_spare_the_probe_and_the_fetch() -> None:
    world = World()
    await world.error("w300-webp")
    fetched = len(world.originals.fetched)
    assert (await world.delivery.inspect(await world.request("w200-png"))).format.name == "png"
    assert await world.error("json") is None
    assert (world.pixels.probed, len(world.originals.fetched)) == (0, fetched)


async def test_known_facts_need_neither_a_ticket_nor_a_worker() -> None:
    world = World(permits=1, queue_length=1)
    await world.error("w300-webp")
    world.pixels.door.close()
    full = [await world.start(f"w{width}-webp") for width in (10, 11)]
    assert isinstance(await world.error("w12-webp"), ServerBusy)
    assert await world.delivery.inspect(await world.request("w13-webp")) == (WEBP, None)
    assert await world.error("json") is None
    world.pixels.door.open()
    await asyncio.gather(*full)


async def test_fifty_inspections_of_an_unreadable_original_are_one_probe() -> None:
    world = World()
    world.pixels.error = CorruptImage("no")
    requests = [await world.request(f"w{width}-webp") for width in range(10, 35)] * 2
    results = await asyncio.gather(*map(world.delivery.inspect, requests), return_exceptions=True)
    assert {type(error) for error in results} == {CorruptImage}
    for request in requests:
        with pytest.raises(CorruptImage):
            await world.delivery.inspect(request)
    assert isinstance(await world.error("w50-webp"), CorruptImage)
    assert (world.pixels.probed, world.pixels.rendered, len(world.originals.fetched)) == (1, 0, 1)


async def test_concurrent_inspections_look_once() -> None:
    world = World()
    request = await world.request("w300-webp")
    assert set(await asyncio.gather(*(world.delivery.inspect(request) for _ in range(50)))) == {(WEBP, None)}
    assert (world.cache.finds, world.pixels.probed) == (1, 1)


async def test_as_many_probes_run_as_there_are_permits() -> None:
    world = World(permits=1, queue_length=10)
    world.pixels.door.close()
    digests = [world.originals.add(ACME, b"original %d" % number) for number in range(3)]
    requests = [await world.request("w10-webp", digest) for digest in digests]
    tasks = [asyncio.create_task(world.delivery.inspect(request)) for request in requests]
    await settle()
    assert (world.admission.running, world.admission.waiting, world.pixels.probed) == (1, 2, 1)
    world.pixels.door.open()
    await asyncio.gather(*tasks)
    assert world.pixels.door.most == 1


async def test_inspections_are_refused_when_the_queue_is_full() -> None:
    world = World(permits=1, queue_length=1)
    world.pixels.door.close()
    full = [await world.start(f"w{width}-webp") for width in (10, 11)]
    digest = world.originals.add(ACME, b"another original")
    with pytest.raises(ServerBusy):
        await world.delivery.inspect(await world.request("w10-webp", digest))
    assert (world.pixels.probed, len(world.originals.fetched)) == (0, 2)
    world.pixels.door.open()
    await asyncio.gather(*full)


async def test_an_inspection_is_refused_as_the_delivery_is() -> None:
    world = World()
    world.limit(output_side=100)
    request = await world.request("w200-webp")
    with pytest.raises(LimitExceeded):
        await world.delivery.inspect(request)
    finds = world.cache.finds
    assert isinstance(await world.error("w200-webp"), LimitExceeded)
    assert world.cache.finds == finds


async def test_a_client_that_leaves_ends_its_inspection() -> None:
    world = World()
    world.originals.door.close()
    client = asyncio.create_task(world.delivery.inspect(await world.request("w10-webp")))
    await settle()
    assert world.admission.waiting == 1
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    await settle()
    assert (world.admission.waiting, world.originals.door.cancelled) == (0, 1)


async def test_an_original_that_is_gone_is_no_longer_known() -> None:
    world = World()
    await world.error("w300-webp")
    del world.originals.stored[ACME, world.digest]
    assert isinstance(await world.error("w301-webp"), NotFound)
    with pytest.raises(NotFound):
        await world.delivery.inspect(await world.request("w302-webp"))


async def test_json_is_stored_like_any_derivative() -> None:
    world = World()
    request = await world.request("json")
    first, second = await world.delivery.deliver(request), await world.delivery.deliver(request)
    assert (first.tier, second.tier) == ("render", "memory")
    assert second.derivative == first.derivative
    document = json.loads(first.derivative.body)
    assert (document["bytes"], document["width"], document["height"]) == (len(b"an original"), 600, 400)
    assert (world.pixels.probed, len(world.originals.fetched)) == (1, 1)


async def test_json_and_head_share_a_probe() -> None:
    world = World()
    world.pixels.door.close()
    document = await world.start("json")
    head = asyncio.create_task(world.delivery.inspect(await world.request("w10-webp")))
    await settle()
    world.pixels.door.open()
    await asyncio.gather(document, head)
    assert (world.pixels.probed, len(world.originals.fetched)) == (1, 1)


async def test_known_facts_are_checked_against_the_limits_of_now() -> None:
    world = World()
    await world.error("w300-webp")
    world.limit(source_bytes=5)
    with pytest.raises(LimitExceeded):
        await world.delivery.inspect(await world.request("w10-webp"))
    assert isinstance(await world.error("json"), LimitExceeded)
