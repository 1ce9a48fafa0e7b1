"""Withdrawn images: 404 on every path to the answer, for GET, HEAD and conditional requests, and back again."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator

import pytest

from proxy.app import open_delivery
from proxy.core.errors import Unavailable
from proxy.telemetry.metrics import Metrics
from tests.http.world import World
from tests.patience import until


async def refuse(world: World, *, refused: bool = True) -> None:
    world.refusals.write(world.digest, refused=refused)
    await world.app.refused_originals.read()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give a world whose fast path has answered `w300-webp`."""
    world = World()
    world.app.start()
    await world.app.refused_originals.loaded.wait()
    await world.request(world.target("w300-webp"))
    warm = world.fast(world.target("w300-webp"))
    assert warm is not None
    assert warm.status == 200
    await until(lambda: world.count("darkroom_derivative_write_queue_bytes") == 0)
    yield world
    await world.app.stop()


async def test_a_picture_that_the_fast_path_remembers_is_refused_and_comes_back(world: World) -> None:
    target = world.target("w300-webp")
    etag = (await world.request(target)).headers["etag"].encode()
    await refuse(world)
    assert world.fast(target) is None
    assert world.fast(target, (b"if-none-match", etag)) is None
    for method, fields in (("GET", ()), ("HEAD", ()), ("GET", ((b"if-none-match", etag),))):
        answer = await world.request(target, method, *fields)
        assert (answer.status, answer.headers["cache-control"]) == (404, "public, max-age=2"), method
        assert method == "HEAD" or b"original-withdrawn" in answer.body
    await refuse(world, refused=False)
    assert (await world.request(target)).status == 200
    again = world.fast(target)
    assert again is not None
    assert again.body == b"300x200 webp"


async def test_memory_drops_what_is_refused_and_keeps_the_rest(world: World) -> None:
    other = world.originals.add(b"another original")
    await world.request(world.target("w300-webp", other))
    assert len(world.memory._cache) == 2
    await refuse(world)
    assert [other in key for key in world.memory._cache] == [True]


async def test_references_unsigned_presets_and_other_recipes_are_refused_too(world: World) -> None:
    await refuse(world)
    assert (await world.request(world.target("w20-png"))).status == 404
    assert (await world.request(world.path("~card"))).status == 404
    assert (await world.request(world.target("w0"))).status == 400, "the recipe is checked first"
    assert (await world.request(world.path("w300-webp") + "?s=x")).status == 403, "and the seal before it"
    reference = "~" + urlsafe_b64encode(b"https://host/cat.jpg").decode().rstrip("=")
    assert (await world.request(world.target("w300-webp", reference))).status == 200
    [resolved] = [digest for digest in world.originals.rows if digest != world.digest]
    world.refusals.write(resolved, refused=True)
    await world.app.refused_originals.read()
    assert (await world.request(world.target("w300-webp", reference))).status == 404


async def test_a_render_under_way_is_not_answered_after_the_refusal(world: World) -> None:
    world.pixels.open.clear()
    task = asyncio.create_task(world.request(world.target("w77-webp")))
    await until(lambda: world.pixels.renders == 2)
    await refuse(world)
    world.pixels.open.set()
    assert (await task).status == 404


async def test_a_start_reads_what_is_refused_before_the_first_request() -> None:
    world = World()
    world.refusals.write(world.digest, refused=True)
    async with open_delivery(world.settings, world.ports, Metrics()) as app:
        assert app.refused_originals.count == 1
        await app.required_checks["refusals"]()


async def test_without_its_records_a_fresh_process_delivers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.app.LOAD_S", 0.01)
    world = World()
    world.refusals.error = Unavailable("out")
    async with open_delivery(world.settings, world.ports, Metrics()) as app:
        world.app = app
        answer = await world.request(world.target("w300-webp"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        with pytest.raises(Unavailable, match="not been read"):
            await app.required_checks["refusals"]()
