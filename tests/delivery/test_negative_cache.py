"""Failures are remembered for their cause, for a while, without what they were raised through."""

import gc
import sys
import weakref

import pytest

from proxy.core.errors import (
    CorruptImage,
    DarkroomError,
    DeadlineExceeded,
    LimitExceeded,
    NotFound,
    RecipeError,
    Unavailable,
    UnsupportedFormat,
    WorkerCrashed,
    WorkerKilled,
)
from proxy.delivery.bare_errors import without_traceback
from proxy.delivery.negative_cache import FAILURE_S, MISSING_S
from tests.delivery.fakes import settle
from tests.delivery.world import ACME, BOLT, World

OF_THE_ORIGINAL = [UnsupportedFormat("kind"), CorruptImage("cut"), WorkerCrashed("twice")]
OF_THE_DERIVATIVE = [LimitExceeded("output"), DeadlineExceeded("slow"), WorkerKilled("memory")]


def named(error: DarkroomError) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", OF_THE_ORIGINAL, ids=named)
async def test_a_failure_of_the_original_is_remembered_for_every_recipe(error: DarkroomError) -> None:
    world = World()
    world.pixels.error = error
    for width in range(10, 20):
        again = await world.error(f"w{width}-webp")
        assert (type(again), str(again)) == (type(error), str(error))
    assert (world.pixels.rendered, len(world.originals.fetched)) == (1, 1)
    world.pixels.error = None
    other = world.originals.add(ACME, b"another original")
    assert await world.error("w10-webp", digest=other) is None
    world.originals.add(BOLT, b"an original")
    assert await world.error("w10-webp", name=BOLT) is None


@pytest.mark.parametrize("error", OF_THE_DERIVATIVE, ids=named)
async def test_a_failure_of_the_recipe_is_remembered_for_the_derivative(error: DarkroomError) -> None:
    world = World()
    world.pixels.error = error
    for _ in range(5):
        assert type(await world.error("w10-webp")) is type(error)
    assert world.pixels.rendered == 1
    world.pixels.error = None
    assert await world.error("w11-webp") is None


@pytest.mark.parametrize("error", OF_THE_ORIGINAL + OF_THE_DERIVATIVE, ids=named)
async def test_a_failure_is_forgotten_after_a_minute(error: DarkroomError) -> None:
    world = World()
    world.pixels.error = error
    await world.error("w10-webp")
    world.pixels.error = None
    world.now_s += FAILURE_S - 1
    assert type(await world.error("w10-webp")) is type(error)
    world.now_s += 1
    assert await world.error("w10-webp") is None


async def test_a_backend_that_is_out_is_not_remembered() -> None:
    world = World()
    world.pixels.error = Unavailable("out")
    for _ in range(3):
        assert isinstance(await world.error("w10-webp"), Unavailable)
    assert world.pixels.rendered == 3


async def test_a_limit_of_the_original_holds_for_every_recipe_until_it_changes() -> None:
    world = World()
    world.limit(source_bytes=5)
    for width in range(10, 20):
        assert isinstance(await world.error(f"w{width}-webp"), LimitExceeded)
    assert len(world.originals.fetched) == 1
    world.limit(source_bytes=100)
    assert await world.error("w10-webp") is None


async def test_a_limit_of_the_recipe_holds_until_it_changes() -> None:
    world = World()
    world.limit(output_side=100)
    for _ in range(3):
        assert isinstance(await world.error("w200-webp"), LimitExceeded)
    assert (world.pixels.rendered, world.cache.finds) == (1, 1)
    world.limit(output_side=300)
    assert await world.error("w200-webp") is None


async def test_a_failure_with_a_watermark_may_be_the_watermarks() -> None:
    world = World()
    world.with_watermark()
    world.pixels.error = CorruptImage("one of them")
    for width in (100, 101, 102):
        assert isinstance(await world.error(f"w{width}-wm_logo-webp"), CorruptImage)
    assert world.pixels.rendered == 1
    world.pixels.error = None
    assert await world.error("w100-webp") is None
    world.with_watermark(b"a new watermark")
    assert await world.error("w100-wm_logo-webp") is None


async def test_a_probe_that_is_overrun_is_not_tried_for_another_recipe() -> None:
    world = World()
    world.pixels.error = DeadlineExceeded("slow")
    for width in (10, 11, 12):
        with pytest.raises(DeadlineExceeded):
            await world.delivery.inspect(await world.request(f"w{width}-webp"))
    assert world.pixels.probed == 1


async def test_a_signed_request_sees_an_upload_at_once() -> None:
    world = World()
    del world.originals.stored[ACME, world.digest]
    for _ in range(3):
        assert isinstance(await world.error("w10-webp"), NotFound)
    assert isinstance(await world.error("~card", signed=False), NotFound)
    assert len(world.originals.fetched) == 4
    world.originals.add(ACME, b"an original")
    assert await world.error("w10-webp") is None


async def test_an_unsigned_request_for_nothing_is_remembered_for_seconds() -> None:
    world = World()
    missing = "0" * 64
    for _ in range(3):
        assert isinstance(await world.error("~card", digest=missing, signed=False), NotFound)
    assert (world.cache.finds, len(world.originals.fetched)) == (1, 1)
    assert isinstance(await world.error("~card", digest=missing), NotFound)
    assert len(world.originals.fetched) == 2
    world.now_s += MISSING_S
    assert isinstance(await world.error("~card", digest=missing, signed=False), NotFound)
    assert len(world.originals.fetched) == 3


async def test_the_memory_of_missing_originals_is_bounded() -> None:
    world = World()
    for number in range(10_050):
        await world.error("~card", digest=f"{number:064x}", signed=False)
    assert len(world.delivery._negatives._missing) == 10_000


class Witness:
    """Lives as long as the frame that has it."""


async def test_remembered_failures_keep_no_frames_alive() -> None:
    world = World()
    witnesses: list[weakref.ref[Witness]] = []
    probe = world.pixels.render

    async def render(*arguments: object) -> object:
        witness = Witness()
        witnesses.append(weakref.ref(witness))
        world.pixels.error = LimitExceeded("fresh")
        return await probe(*arguments)  # type: ignore[arg-type]

    world.pixels.render = render  # type: ignore[method-assign, assignment]
    for width in range(10, 20):
        await world.error(f"w{width}-webp")
        world.pixels.error = None
        assert await world.error(f"w{width}-webp") is not None
    await settle()
    gc.collect()
    assert len(witnesses) == 10
    assert [witness for witness in witnesses if witness() is not None] == []


def test_a_copy_has_the_public_data_alone() -> None:
    original = RecipeError("w0320", 0, 5, "misspelled", "w320")
    try:
        try:
            int("no number")
        except ValueError as cause:
            raise original from cause
    except RecipeError:
        copy = without_traceback(original)
    assert (copy.__traceback__, copy.__cause__, copy.__context__) == (None, None, None)
    assert (str(copy), copy.detail, copy.members()) == (str(original), original.detail, original.members())
    assert sys.getrefcount(copy) == 2
