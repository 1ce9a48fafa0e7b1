"""Staged files: bytes from outside, counted and hashed while they are written, before they become an original."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from typing import Self

from proxy.core.errors import LimitExceeded, Unavailable
from proxy.core.identifiers import Digest
from proxy.ports import OpenOriginal

_EXECUTOR = ThreadPoolExecutor(4, "darkroom-staging")
"""Threads of their own: in the event loop's executor, uploads would hold up whatever else uses it."""

_CHUNK_BYTES = 2**20


class StagedFile:
    """An unnamed temporary file of at most `limit_bytes`; a context manager that closes it."""

    def __init__(self, limit_bytes: int) -> None:
        with _translated():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by __exit__
        self._limit_bytes = limit_bytes
        self._hash = sha256()
        # A cancelled task closes the file while a thread may still write: never to a descriptor that was reused.
        self._lock = Lock()
        self.size_bytes = 0

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what has been written."""
        return Digest(self._hash.hexdigest())

    def expect(self, size_bytes: int) -> None:
        """Raise LimitExceeded if the announced size is over the limit."""
        if size_bytes > self._limit_bytes:
            raise LimitExceeded(
                f"The original has {size_bytes} bytes; the limit is {self._limit_bytes}.", "source_bytes"
            )

    async def append(self, chunk: bytes) -> None:
        """Do what `write` does, in a thread."""
        await asyncio.get_running_loop().run_in_executor(_EXECUTOR, self.write, chunk)

    def write(self, chunk: bytes) -> None:
        """Append a chunk, blocking the thread. Raise LimitExceeded over the limit, before any of it is written."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit_bytes:
            raise LimitExceeded(f"The original has more than {self._limit_bytes} bytes, the limit.", "source_bytes")
        self._hash.update(chunk)
        rest = memoryview(chunk)
        with self._lock, _translated():
            while rest and not self._file.closed:
                rest = rest[self._file.write(rest) :]

    async def truncate(self, size_bytes: int) -> None:
        """Cut off what follows the first bytes, and hash those again, in a thread."""
        await asyncio.get_running_loop().run_in_executor(_EXECUTOR, self._truncate, size_bytes)

    def _truncate(self, size_bytes: int) -> None:
        digest = sha256()
        with self._lock, _translated():
            os.ftruncate(self._file.fileno(), size_bytes)
            at = 0
            while chunk := os.pread(self._file.fileno(), _CHUNK_BYTES, at):
                digest.update(chunk)
                at += len(chunk)
        self._hash, self.size_bytes = digest, at

    def open(self) -> OpenOriginal:
        """Open what has been written, from its beginning."""
        self._file.seek(0)
        return OpenOriginal(os.dup(self._file.fileno()), self.size_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("There is no room for an upload on the server's disk.") from error
