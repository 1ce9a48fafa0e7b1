"""A background task that ends is logged and reported."""

import asyncio

import pytest
import structlog

from proxy.core.errors import Unavailable
from proxy.telemetry.background_tasks import BackgroundTasks


async def _forever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise RuntimeError("a defect")


async def _end() -> None:
    pass


async def test_tasks_that_run_pass_the_check() -> None:
    tasks = BackgroundTasks()
    tasks.start("writer", _forever())
    await asyncio.sleep(0)
    await tasks.check()
    await tasks.stop(1.0)


@pytest.mark.parametrize("work", [_fail, _end])
async def test_a_task_that_has_ended_is_logged_and_named_by_the_check(work: type) -> None:
    tasks = BackgroundTasks()
    with structlog.testing.capture_logs() as lines:
        tasks.start("good", _forever())
        tasks.start("bad", work())
        for _ in range(5):
            await asyncio.sleep(0)
    assert [(line["event"], line["task"]) for line in lines] == [("background task ended", "bad")]
    with pytest.raises(Unavailable, match=r"Background tasks have ended: bad\."):
        await tasks.check()
    await tasks.stop(1.0)


async def test_stopping_cancels_and_logs_nothing() -> None:
    tasks = BackgroundTasks()
    tasks.start("writer", _forever())
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as lines:
        await tasks.stop(1.0)
    assert lines == []


async def test_a_task_that_writes_on_after_it_was_cancelled_is_cut() -> None:
    ended = []

    async def write_on() -> None:
        try:
            await _forever()
        finally:
            try:
                await _forever()
            finally:
                ended.append("cut")

    tasks = BackgroundTasks()
    tasks.start("writer", write_on())
    await asyncio.sleep(0)
    await tasks.stop(0.01)
    assert ended == ["cut"]
