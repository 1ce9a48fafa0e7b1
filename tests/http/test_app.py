"""The delivery application as a whole: its composition, checks, metrics and shutdown, over memory ports."""

import asyncio
import subprocess
import sys

import pytest

from proxy.app import open_delivery
from proxy.core.errors import Unavailable
from proxy.telemetry.metrics import Metrics
from tests.http.world import World
from tests.patience import until


def test_it_knows_neither_catalog_nor_libvips_nor_a_database() -> None:
    """A delivery node starts without FastAPI, and without the management plane."""
    program = """
import sys, proxy.app
foreign = {"catalog", "fastapi", "pyvips", "sqlalchemy", "aioboto3"}
print(*(foreign & {name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


async def test_fast_path_and_endpoint_share_their_steps() -> None:
    app = World().app
    assert app._fast_path._steps is app._endpoint._steps


async def test_what_is_rendered_is_written_and_recorded_behind_the_response() -> None:
    world = World()
    world.app.start()
    await world.request(world.target("w300-webp"))
    await until(lambda: world.count("darkroom_derivative_write_queue_bytes") == 0)
    assert [derivative.body for derivative in world.slow.rows.values()] == [b"300x200 webp"]
    await world.app.stop()
    assert [row.recipe for row in world.records.rows] == ["w300-webp"]


async def test_stopping_takes_its_time_and_no_more_where_a_tier_hangs() -> None:
    world = World()
    world.app.start()
    world.slow.open.clear()
    await world.request(world.target("w300-webp"))
    async with asyncio.timeout(10):
        await world.app.stop(timeout_s=0.1)
    assert [row.recipe for row in world.records.rows] == ["w300-webp"]


async def test_checks_of_what_all_nodes_share_are_optional() -> None:
    world = World()
    world.app.start()
    assert set(world.app.required_checks) == {"queue", "background", "refusals"}
    assert set(world.app.optional_checks) == {"store", "cache", "database"}
    for check in (*world.app.required_checks.values(), *world.app.optional_checks.values()):
        await check()
    world.originals.error = world.tenants.error = world.slow.error = Unavailable("out")
    for name, text in (("store", "out"), ("cache", r"No answer from: files\."), ("database", "out")):
        with pytest.raises(Unavailable, match=text):
            await world.app.optional_checks[name]()
    for check in world.app.required_checks.values():
        await check()
    await world.app.stop()


@pytest.mark.parametrize("name", ["derivative writer", "render record writer"])
async def test_a_background_writer_that_is_gone_makes_the_process_not_ready(name: str) -> None:
    world = World()
    world.app.start()
    check = world.app.required_checks["background"]
    await check()
    task = world.app._background._tasks[name]
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(Unavailable, match=name):
        await check()
    await world.app.stop()


async def test_a_queue_that_does_not_move_makes_the_process_not_ready() -> None:
    world = World()
    world.pixels.open.clear()
    tasks = [asyncio.create_task(world.request(world.target(f"w{width}-webp"))) for width in (100, 101, 102)]
    await until(lambda: world.count("darkroom_queue_length") == 1)
    check = world.app.required_checks["queue"]
    await check()
    world.app._admission._moved_at -= 100
    with pytest.raises(Unavailable, match="stuck"):
        await check()
    world.pixels.open.set()
    assert [(await task).status for task in tasks] == [200, 200, 200]
    await check()


async def test_renders_are_counted_by_a_counter() -> None:
    world = World()
    for recipe in ("w100-webp", "w101-webp", "w101-webp"):
        await world.request(world.target(recipe))
    assert world.count("darkroom_renders_total") == 2
    assert world.count("darkroom_renders_running") == 0


async def test_a_request_that_is_not_http_is_counted() -> None:
    world = World()
    world.app.note_unparsable("id", 200)
    assert world.count("darkroom_requests_total", status="400", tier="none") == 1
    assert world.count("darkroom_sent_bytes_total") == 200


async def test_open_delivery_starts_and_stops_the_application() -> None:
    world = World()
    async with open_delivery(world.settings, world.ports, Metrics()) as app:
        await app.required_checks["background"]()
    with pytest.raises(Unavailable):
        await app.required_checks["background"]()
