"""An intake: a copy of what comes from outside, hashed while it grows, before it is an original."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from typing import Self

from proxy.core.errors import LimitExceeded, Unavailable
from proxy.core.identifiers import Digest
from proxy.ports import OpenOriginal


class StagedFile:
    """A file that has no name in any folder, at most `limit_bytes`; a context manager that closes it."""

    def __init__(self, limit_bytes: int) -> None:
        with _translated():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by __exit__
        self._limit_bytes = limit_bytes
        self._hash = sha256()
        # Whoever is cancelled closes the file while a thread may still write: never to a number that is reused.
        self._lock = Lock()
        self.size_bytes = 0

    @property
    def digest(self) -> Digest:
        """The name of what was written."""
        return Digest(self._hash.hexdigest())

    def expect(self, size_bytes: int) -> None:
        """Refuse with LimitExceeded what is announced to be beyond the byte limit."""
        if size_bytes > self._limit_bytes:
            raise LimitExceeded(
                f"The original has {size_bytes} bytes; the limit is {self._limit_bytes}.", "source_bytes"
            )

    def write(self, chunk: bytes) -> None:
        """Append; LimitExceeded beyond the byte limit, before anything of it is kept."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit_bytes:
            told = f"The original has more than {self._limit_bytes} bytes, which is the limit."
            raise LimitExceeded(told, "source_bytes")
        self._hash.update(chunk)
        rest = memoryview(chunk)
        with self._lock, _translated():
            while rest and not self._file.closed:
                rest = rest[self._file.write(rest) :]

    def open(self) -> OpenOriginal:
        """Open what was written, from its beginning."""
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
        raise Unavailable("There is no room for an upload.") from error
