"""The servers of one pytest process: started in parallel on first use, stopped with the process.

With pytest-xdist each worker has its own servers. They start in a second, a test may flush or stall one without a
test of another worker noticing, and no worker depends on the life of another.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.servers.folders import server_folder
from tests.servers.postgres import start_postgres
from tests.servers.processes import Processes
from tests.servers.redis import start_redis
from tests.servers.s3 import S3Server, start_s3

_START_S = 100.0


class Servers:
    """A context in which servers run; each is started on first use, or taken from the environment."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._starting: dict[str, Future[Any]] = {}

    def __enter__(self) -> Self:
        # left in reverse: the processes stop, so pending starts fail, so the threads end; then the folder is removed
        self.folder = self._stack.enter_context(server_folder())
        self._threads = self._stack.enter_context(ThreadPoolExecutor(len(_STARTS), "darkroom-tests"))
        self.processes = self._stack.enter_context(Processes())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, names: Iterable[str]) -> None:
        """Begin to start servers without waiting for them."""
        for name in names:
            if name not in self._starting:
                self._starting[name] = self._threads.submit(self._start, name)

    def _start(self, name: str) -> object:
        named, start = _STARTS[name]
        return named() or start(self.folder / name, self.processes)

    def find(self, name: str) -> Any:  # noqa: ANN401 - each kind of server has its own kind of address
        """Return a server's address, once the server is up."""
        self.start([name])
        return self._starting[name].result(_START_S)


def redis_of_worker(url: str, worker: str) -> str:
    """Return the URL of the pytest-xdist worker's own database: gw0 has the URL's number, gw1 the next one."""
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0) + int(worker.removeprefix("gw") or 0)
    return parts._replace(path=f"/{number}").geturl()


def _named_redis() -> str | None:
    url = os.environ.get("DARKROOM_TEST_REDIS_URL")
    return redis_of_worker(url, os.environ.get("PYTEST_XDIST_WORKER", "")) if url else None


def _named_s3() -> S3Server | None:
    url = os.environ.get("DARKROOM_TEST_S3_URL", "")
    key = os.environ.get("DARKROOM_TEST_S3_ACCESS_KEY_ID", "")
    return S3Server(url, key, os.environ.get("DARKROOM_TEST_S3_SECRET_ACCESS_KEY", "")) if url else None


_STARTS: dict[str, tuple[Callable[[], object], Callable[[Path, Processes], object]]] = {
    "database_server": (lambda: os.environ.get("DARKROOM_TEST_DATABASE_URL"), start_postgres),
    "redis_server": (_named_redis, start_redis),
    "s3_server": (_named_s3, start_s3),
}
"""By the name of the fixture: how to find a named server in the environment, and how to start one otherwise."""
NAMES = frozenset(_STARTS)
