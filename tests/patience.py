"""Waiting for a condition that no event announces."""

import asyncio
from collections.abc import Callable

_PATIENCE_S = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; raise TimeoutError after 20 seconds."""
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no Event to wait for
            await asyncio.sleep(0.005)
