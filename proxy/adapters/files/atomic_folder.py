"""A folder whose files are whole, and the threads that may block on it.

Theory. A file under its final name is whole, always. It is written under a random name in `.incoming` and then given
its name by link(2), which is atomic and refuses to overwrite. What a kill leaves behind is in `.incoming`, where no
file is ever looked for, and a sweep of that one folder deletes it.

In a durable folder the file is fsynced before it gets its name, and its folders afterwards, so that file and name
survive a power cut. In a folder that is not durable a power cut may leave a torn file under a final name: its reader
has to detect that.
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
"""Running and waiting. A disk that hangs fills this and is then refused at once, without blocking anything else."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FOLDER_MODE = 0o700
_ATTEMPTS = 3
"""How often a name is given whose folder is deleted, as empty, at the same moment."""


class AtomicFolder:
    """Files below `path`; no relative name begins with a dot. All folders that it makes are its owner's alone."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._durable = durable
        self._incoming = path / ".incoming"
        self._threads = ThreadPoolExecutor(_THREADS, f"darkroom-{path.name}")
        self._permits = BoundedSemaphore(_CALLS)

    def submit(self, call: Callable[[], _T]) -> "Future[_T]":
        """Run `call` in a thread; its OSErrors become Unavailable. Raise ServerBusy if too many calls wait."""
        if not self._permits.acquire(blocking=False):
            raise ServerBusy("The picture store on disk is busy.")
        future = self._threads.submit(_translated, call)
        future.add_done_callback(lambda _: self._permits.release())
        return future

    def publish(self, path: Path, chunks: Iterable[bytes], give_name: Callable[[Path, Path], None] = os.link) -> bool:
        """Write a file that appears whole or not at all. Return False if the name is taken (not with `os.replace`)."""
        make_folder(self._incoming)
        temporary = self._incoming / secrets.token_hex(16)
        is_new = True
        try:
            self._write(temporary, chunks)
            _give_name(temporary, path, give_name)
        except FileExistsError:
            is_new = False
        finally:
            temporary.unlink(missing_ok=True)
        self.sync(path)
        return is_new

    def remove(self, path: Path) -> None:
        """Delete a file, if it is there; in a durable folder it is gone after a power cut too."""
        path.unlink(missing_ok=True)
        if self._durable and path.parent.is_dir():
            _fsync(path.parent)

    def sync(self, path: Path) -> None:
        """Fsync the folders from `path`'s own to this one, where it is durable: each may be new."""
        if not self._durable:
            return
        for folder in path.parents:
            _fsync(folder)
            if folder == self.path:
                return

    async def ping(self) -> None:
        """Return if the folder can be written to (it is made if need be). Raise Unavailable otherwise."""
        await asyncio.wrap_future(self.submit(self._ping))

    async def sweep(self, older_than_s: float) -> int:
        """Delete what killed processes left half-written. Return how many files there were."""
        return await asyncio.wrap_future(self.submit(lambda: self._sweep(time.time() - older_than_s)))

    def close(self) -> None:
        """Start no further call; those that run finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ping(self) -> None:
        make_folder(self._incoming)
        # access(2) distinguishes a read-only mount from a writable one, for root as well
        if not os.access(self._incoming, os.W_OK | os.X_OK):
            raise Unavailable("The picture store on disk is not writable.")

    def _sweep(self, before_s: float) -> int:
        make_folder(self._incoming)
        old = [path for path in self._incoming.iterdir() if path.lstat().st_mtime < before_s]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _write(self, path: Path, chunks: Iterable[bytes]) -> None:
        with path.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            if self._durable:
                file.flush()
                os.fsync(file.fileno())


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the system's errors as Unavailable, without its paths."""
    try:
        yield
    except OSError as error:
        state = "is full" if error.errno in _FULL else "does not respond"
        raise Unavailable(f"The picture store on disk {state}.") from error


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, all of them with mode 0700 (mkdir's `parents` would use the umask's)."""
    try:
        folder.mkdir(_FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)


def _translated(call: Callable[[], _T]) -> _T:
    with translate_errors():
        return call()


def _give_name(temporary: Path, path: Path, give_name: Callable[[Path, Path], None]) -> None:
    for attempts_left in reversed(range(_ATTEMPTS)):
        make_folder(path.parent)
        try:
            give_name(temporary, path)
        except FileNotFoundError:
            if not attempts_left:
                raise
        else:
            return


def _fsync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
