"""A folder whose files are whole, and the threads that may block on it.

Theory. A file under its final name is whole, always. It is written under a random name in `.incoming`,
fsynced, then given its name by link(2), which is atomic and refuses to overwrite; then the folders are
fsynced, so that the name survives a power cut. What a kill leaves behind lies in that one folder, where
nobody looks for files and a sweep need not walk the others.
"""

import asyncio
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from typing import TypeVar

from proxy.core.errors import ServerBusy, Unavailable

_T = TypeVar("_T")
_THREADS = 8
_CALLS = 1024
"""Running and waiting. A disk that hangs fills this, then is refused at once and takes nothing else with it."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class AtomicFolder:
    """Files below `path`, at most two folders deep; relative names never begin with a dot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._incoming = path / ".incoming"
        self._threads = ThreadPoolExecutor(_THREADS, f"darkroom-{path.name}")
        self._places = BoundedSemaphore(_CALLS)

    def submit(self, call: Callable[[], _T]) -> "Future[_T]":
        """Run `call` in a thread, its OSErrors told as Unavailable; ServerBusy when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise ServerBusy("The picture store on disk is busy.")
        future = self._threads.submit(_translated, call)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def publish(self, path: Path, chunks: Iterable[bytes], give_name: Callable[[Path, Path], None] = os.link) -> bool:
        """Write a file, to be seen whole or not at all; False when the name is taken (never with `os.replace`)."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._incoming / secrets.token_hex(16)
        try:
            _write(temporary, chunks)
            give_name(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
            self.sync(path)
        return True

    def sync(self, path: Path) -> None:
        """Fsync the folders from `path`'s own to ours: each may have been made a moment ago."""
        for folder in path.parents:
            _fsync(folder)
            if folder == self.path:
                return

    async def ping(self) -> None:
        """Return when the folder can be written to (it is made if need be)."""
        await asyncio.wrap_future(self.submit(self._ping))

    async def sweep(self, older_than_s: float) -> int:
        """Delete what killed processes left half-written; how many files there were."""
        return await asyncio.wrap_future(self.submit(lambda: self._sweep(time.time() - older_than_s)))

    def close(self) -> None:
        """Start no further call; those that run, end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ping(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        # access(2) tells a read-only mount from a writable one, to root as well
        if not os.access(self._incoming, os.W_OK | os.X_OK):
            raise Unavailable("The picture store on disk cannot be written to.")

    def _sweep(self, before_s: float) -> int:
        self._incoming.mkdir(parents=True, exist_ok=True)
        old = [path for path in self._incoming.iterdir() if path.lstat().st_mtime < before_s]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


@contextmanager
def translated() -> Iterator[None]:
    """Tell the system's errors as Unavailable, without its paths."""
    try:
        yield
    except OSError as error:
        state = "is full" if error.errno in _FULL else "does not answer"
        raise Unavailable(f"The picture store on disk {state}.") from error


def _translated(call: Callable[[], _T]) -> _T:
    with translated():
        return call()


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _fsync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
