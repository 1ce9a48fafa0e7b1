"""Waiting for what tells nobody that it has happened."""

import asyncio
from collections.abc import Callable

_PATIENCE_S = 20.0


async def until(claim: Callable[[], bool]) -> None:
    """Wait until something is true; fail when it never is."""
    async with asyncio.timeout(_PATIENCE_S):
        while not claim():  # noqa: ASYNC110 - what is claimed sets no Event
            await asyncio.sleep(0.005)
