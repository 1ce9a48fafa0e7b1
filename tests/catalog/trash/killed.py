"""`python -m tests.catalog.trash.killed POINT`: a worker that runs what is due, and kills itself at a point."""

import asyncio
import os
import signal
import sys
from typing import Any

from catalog.ports import Platform
from catalog.records.schema import open_database
from catalog.records.tenant_scope import every_tenant
from proxy.backends import open_backends
from proxy.settings import Settings
from tests.catalog.trash.work import run_due

POINTS = ("before delete", "after delete", "before purge", "after purge")
"""Before and after the bytes are deleted, in the transaction; then before and after the tiers are purged."""


class Killing:
    """A port that kills the process before or after one of its methods."""

    def __init__(self, inner: Any, point: str) -> None:  # noqa: ANN401 - any port
        self._inner = inner
        self._when, self._method = point.split()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is
        method = getattr(self._inner, name)
        if name != self._method:
            return method

        async def killing(*arguments: object) -> object:
            if self._when == "before":
                _kill()
            result = await method(*arguments)
            if self._when == "after":
                _kill()
            return result

        return killing


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def work(point: str) -> None:
    """Run the jobs that are due."""
    settings = Settings()
    none: Any = None
    async with open_database(settings) as database, open_backends(settings) as backends:
        platform = Platform(
            settings=settings,
            database=database,
            originals=Killing(backends.originals, point),
            derivatives=Killing(backends.derivatives, point),
            derivative_store=backends.derivative_store,
            resolved_references=backends.resolved_references,
            sources={},
            pixels=none,
            renderer=none,
            signers=none,
            upload_parts=none,
        )
        with every_tenant():
            await run_due(platform)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
