"""The servers of one test session: those that its tests ask for, started beside each other, once."""

import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.servers.postgres import start_postgres
from tests.servers.processes import Processes
from tests.servers.redis import start_redis
from tests.servers.s3 import S3Server, start_s3

_START_S = 100.0


class Servers:
    """A block in which servers run; each is started when it is first wanted, or taken from the environment."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._starting: dict[str, Future[Any]] = {}

    def __enter__(self) -> Self:
        # ended in reverse: processes stop, so what is starting fails, so the threads end; then the folder goes
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="darkroom-tests-")))
        self.folder.chmod(0o755)
        self._threads = self._stack.enter_context(ThreadPoolExecutor(len(_STARTS), "darkroom-tests"))
        self.processes = self._stack.enter_context(Processes())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, names: Iterable[str]) -> None:
        """Begin to start servers, without waiting for them."""
        for name in names:
            if name not in self._starting:
                self._starting[name] = self._threads.submit(self._start, name)

    def _start(self, name: str) -> object:
        given, start = _STARTS[name]
        return given() or start(self.folder / name, self.processes)

    def find(self, name: str) -> Any:  # noqa: ANN401 - an address; each kind of server has its own
        """Wait for a server: its address."""
        self.start([name])
        return self._starting[name].result(_START_S)


def _given_s3() -> S3Server | None:
    url = os.environ.get("DARKROOM_TEST_S3_URL", "")
    key = os.environ.get("DARKROOM_TEST_S3_ACCESS_KEY_ID", "")
    return S3Server(url, key, os.environ.get("DARKROOM_TEST_S3_SECRET_ACCESS_KEY", "")) if url else None


_STARTS: dict[str, tuple[Callable[[], object], Callable[[Path, Processes], object]]] = {
    "database_server": (lambda: os.environ.get("DARKROOM_TEST_DATABASE_URL"), start_postgres),
    "redis_server": (lambda: os.environ.get("DARKROOM_TEST_REDIS_URL"), start_redis),
    "s3_server": (_given_s3, start_s3),
}
"""By the name of the fixture: where the environment names one, and how to start one otherwise."""
NAMES = frozenset(_STARTS)
