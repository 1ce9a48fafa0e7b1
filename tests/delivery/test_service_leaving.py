"""Clients that leave, deadlines that pass, a server that closes: what is cancelled, and what is finished."""

import asyncio

import pytest

from proxy.core.errors import DeadlineExceeded
from tests.delivery.fakes import advance, settle
from tests.delivery.world import World


async def leave(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settle()


async def test_a_client_that_leaves_while_its_original_is_fetched_ends_the_fetch() -> None:
    world = World()
    world.originals.door.close()
    client = await world.start("w300-webp")
    assert (world.admission.waiting, world.originals.door.inside) == (1, 1)
    await leave(client)
    assert (world.admission.waiting, world.originals.door.inside, world.originals.door.cancelled) == (0, 0, 1)


async def test_a_client_that_leaves_the_queue_takes_its_place_and_its_original_along() -> None:
    world = World(permits=1)
    world.pixels.door.close()
    running, waiting = await world.start("w300-webp"), await world.start("w301-webp")
    assert (world.admission.running, world.admission.waiting, world.originals.held) == (1, 1, 2)
    await leave(waiting)
    assert (world.admission.running, world.admission.waiting, world.originals.held) == (1, 0, 1)
    world.pixels.door.open()
    await running
    assert world.pixels.rendered == 1


async def test_a_client_that_leaves_does_not_end_what_another_waits_for() -> None:
    world = World()
    world.originals.door.close()
    first, second = await world.start("w300-webp"), await world.start("w300-webp")
    await leave(first)
    world.originals.door.open()
    assert (await second).tier == "coalesced"


async def test_a_running_render_is_finished_and_stored_though_nobody_waits() -> None:
    world = World()
    world.pixels.door.close()
    request = await world.request("w300-webp")
    await leave(await world.start("w300-webp"))
    assert (world.admission.running, world.pixels.door.inside, world.pixels.door.cancelled) == (1, 1, 0)
    world.pixels.door.open()
    await settle()
    assert world.admission.running == 0
    assert (await world.delivery.deliver(request)).tier == "memory"
    assert world.pixels.rendered == 1


async def test_a_running_render_that_nobody_waits_for_can_be_joined() -> None:
    world = World()
    world.pixels.door.close()
    await leave(await world.start("w300-webp"))
    second = await world.start("w300-webp")
    world.pixels.door.open()
    assert (await second).joined
    assert world.pixels.rendered == 1


async def test_at_the_deadline_the_client_is_answered_and_the_render_is_stored() -> None:
    world = World(deadline_s=10.0)
    world.pixels.door.close()
    client = await world.start("w300-webp")
    await advance(11.0)
    error = client.exception()
    assert isinstance(error, DeadlineExceeded)
    assert str(error) == "The picture was not ready within 10 seconds."
    world.pixels.door.open()
    await settle()
    assert await world.error("w300-webp") is None
    assert world.pixels.rendered == 1


async def test_at_the_deadline_what_waits_is_given_up() -> None:
    world = World(permits=1)
    world.pixels.door.close()
    running, waiting = await world.start("w300-webp"), await world.start("w301-webp")
    await advance(11.0)
    assert isinstance(waiting.exception(), DeadlineExceeded)
    assert isinstance(running.exception(), DeadlineExceeded)
    assert (world.admission.running, world.admission.waiting) == (1, 0)
    world.pixels.door.open()
    await settle()
    assert world.pixels.rendered == 1


async def test_a_queue_that_outlasts_the_deadline_is_not_remembered() -> None:
    world = World(permits=1)
    world.pixels.door.close()
    await world.start("w300-webp")
    waiting = await world.start("w301-webp")
    await advance(11.0)
    assert isinstance(waiting.exception(), DeadlineExceeded)
    world.pixels.door.open()
    assert await world.error("w301-webp") is None


async def test_closing_ends_running_renders() -> None:
    world = World()
    world.pixels.door.close()
    client = await world.start("w300-webp")
    await leave(client)
    await world.delivery.close()
    assert (world.admission.running, world.pixels.door.cancelled, world.originals.held) == (0, 1, 0)


async def test_closing_ends_what_clients_wait_for() -> None:
    world = World()
    world.originals.door.close()
    client = await world.start("w300-webp")
    await world.delivery.close()
    with pytest.raises(asyncio.CancelledError):
        await client
    assert world.admission.waiting == 0
