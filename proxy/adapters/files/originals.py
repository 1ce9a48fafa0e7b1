"""Originals on a local disk: `{root}/originals/{tenant}/{first two hex digits}/{digest}`.

How a file is written so that it appears whole or not at all is described in `proxy.adapters.files.atomic_folder`.
Disks rot, so an original's hash is checked before it is handed out; once per process, because a file whose inode, size
and time stamps are the same is the same file.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from cachetools import LRUCache

from proxy.adapters.files.atomic_folder import AtomicFolder, translate_errors
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, Unavailable
from proxy.core.identifiers import Digest, TenantName, digest_name, tenant_name
from proxy.ports import OpenOriginal

if TYPE_CHECKING:
    from concurrent.futures import Future

_CHUNK_BYTES = 2**20
_VERIFIED_FILES = 16_384
_SETTLED_NS = 10**9
"""A file that changed within the last second may change again unnoticed: time stamps tick more slowly than disks."""

_Identity = tuple[int, int, int, int]


class FileOriginals:
    """Originals in a folder, each at most `max_bytes`. Close it at the end."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._folder = AtomicFolder(root / "originals")
        self._max_bytes = max_bytes
        self._verified = _VerifiedFiles()

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Open an original. Raise NotFound, CorruptImage or LimitExceeded; Unavailable if the disk fails."""
        future = self._folder.submit(partial(self._open, self._path(tenant, digest), digest))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_close)
            raise

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Store `source`. Return False if it is there and whole; a damaged original is replaced.

        Raise CorruptImage if the bytes of `source` do not have the digest, and LimitExceeded.
        """
        self._check_size(source.size_bytes)
        path = self._path(tenant, digest)
        with translate_errors():
            # a descriptor of our own: a cancelled caller closes its own while the thread still reads
            fd = os.dup(source.fd)
        try:
            future = self._folder.submit(partial(self._put, path, digest, fd))
        except Unavailable:
            os.close(fd)
            raise
        future.add_done_callback(lambda _: os.close(fd))
        return await asyncio.wrap_future(future)

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        """Return whether an original is stored, by its name alone."""
        return await asyncio.wrap_future(self._folder.submit(partial(os.path.isfile, self._path(tenant, digest))))

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        """Delete an original, if it is stored; its name stays away after a power cut too."""
        await asyncio.wrap_future(self._folder.submit(partial(self._folder.remove, self._path(tenant, digest))))

    async def ping(self) -> None:
        """Return if the folder can be written to."""
        await self._folder.ping()

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written. Return how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _path(self, tenant: TenantName, digest: Digest) -> Path:
        return self._folder.path / tenant_name(tenant) / digest_name(digest)[:2] / digest

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {self._max_bytes}.", "source_bytes")

    def _open(self, path: Path, digest: Digest) -> OpenOriginal:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise NotFound("There is no such original.") from None
        try:
            return OpenOriginal(fd, self._verify(fd, digest))
        except BaseException:
            os.close(fd)
            raise

    def _verify(self, fd: int, digest: Digest) -> int:
        """Return the size of a file whose bytes have the digest."""
        status = os.fstat(fd)
        self._check_size(status.st_size)
        identity = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if not self._verified.contains(identity, digest):
            for _ in _read_verified(fd, digest):
                pass
            if time.time_ns() - status.st_ctime_ns > _SETTLED_NS:
                self._verified.add(identity, digest)
        return status.st_size

    def _put(self, path: Path, digest: Digest, fd: int) -> bool:
        try:
            self._open(path, digest).close()
        except NotFound:
            return self._folder.publish(path, _read_verified(fd, digest))
        except (CorruptImage, LimitExceeded):
            return self._folder.publish(path, _read_verified(fd, digest), os.replace)
        # another process may have given it its name and not have come to its fsync yet; this one is acknowledged now
        self._folder.sync(path)
        return False


class _VerifiedFiles:
    """The files whose hash has been checked; shared by threads."""

    def __init__(self) -> None:
        self._digests: LRUCache[_Identity, Digest] = LRUCache(_VERIFIED_FILES)
        self._lock = Lock()

    def contains(self, identity: _Identity, digest: Digest) -> bool:
        with self._lock:
            return self._digests.get(identity) == digest

    def add(self, identity: _Identity, digest: Digest) -> None:
        with self._lock:
            self._digests[identity] = digest


def _read_verified(fd: int, digest: Digest) -> Iterator[bytes]:
    """Read a file without moving its offset. Raise CorruptImage at the end if its bytes do not have the digest."""
    actual = sha256()
    at = 0
    while chunk := os.pread(fd, _CHUNK_BYTES, at):
        actual.update(chunk)
        at += len(chunk)
        yield chunk
    if actual.hexdigest() != digest:
        raise CorruptImage("The stored original is damaged: its bytes do not have its SHA-256.")


def _close(opened: "Future[OpenOriginal]") -> None:
    """Close what a cancelled caller will never receive."""
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
