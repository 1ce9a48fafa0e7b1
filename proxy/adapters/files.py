"""Originals and derivatives on a local disk.

    {root}/originals/{tenant}/{first two hex digits}/{digest}
    {root}/derivatives/{key}
    {root}/references/{tenant}/{SHA-256 of the reference}

How a file is written so that it is seen whole or not at all is told in `proxy.adapters.atomic_folder`. Disks rot, so an
original's hash is checked before it is handed out; once per process, because a file whose inode, size and
time stamps are the same is the same file.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from proxy.adapters.atomic_folder import AtomicFolder, translated
from proxy.adapters.serialization import LARGEST_HEAD_BYTES, pack, unpack
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, Unavailable
from proxy.core.identifiers import DerivativeKey, Digest, TenantName, derivative_key, digest_name, tenant_name
from proxy.core.media.derivative import Derivative
from proxy.core.url.resolved_reference import ResolvedReference
from proxy.core.url.source_reference import Reference
from proxy.ports import OpenOriginal

if TYPE_CHECKING:
    from concurrent.futures import Future

_CHUNK_BYTES = 2**20
_VERIFIED_FILES = 16_384
_SETTLED_NS = 10**9
"""A file changed within the last second may change again unnoticed: time stamps tick more slowly than disks."""

_Identity = tuple[int, int, int, int]


class FileOriginals:
    """Originals in a folder, each at most `max_bytes`; close it at the end."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._folder = AtomicFolder(root / "originals")
        self._max_bytes = max_bytes
        self._verified = _Verified()

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Open an original. Refuses with NotFound, CorruptImage or LimitExceeded; Unavailable when the disk does."""
        future = self._folder.submit(partial(self._open, self._path(tenant, digest), digest))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_close)
            raise

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Keep `source`; False when it is there and whole. A damaged one is replaced.

        Refuses with CorruptImage when the bytes of `source` do not have the name, with LimitExceeded.
        """
        self._limit(source.size_bytes)
        path = self._path(tenant, digest)
        with translated():
            # a descriptor of our own: a cancelled caller closes its own while the thread still reads
            fd = os.dup(source.fd)
        try:
            future = self._folder.submit(partial(self._put, path, digest, fd))
        except Unavailable:
            os.close(fd)
            raise
        future.add_done_callback(lambda _: os.close(fd))
        return await asyncio.wrap_future(future)

    async def ping(self) -> None:
        """Return when the folder can be written to."""
        await self._folder.ping()

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written; how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _path(self, tenant: TenantName, digest: Digest) -> Path:
        return self._folder.path / tenant_name(tenant) / digest_name(digest)[:2] / digest

    def _limit(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {self._max_bytes}.", "source_bytes")

    def _open(self, path: Path, digest: Digest) -> OpenOriginal:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise NotFound("There is no such original.") from None
        try:
            return OpenOriginal(fd, self._check(fd, digest))
        except BaseException:
            os.close(fd)
            raise

    def _check(self, fd: int, digest: Digest) -> int:
        """Give the size of a file whose bytes have their name."""
        found = os.fstat(fd)
        self._limit(found.st_size)
        identity = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if not self._verified.holds(identity, digest):
            for _ in _named(fd, digest):
                pass
            if time.time_ns() - found.st_ctime_ns > _SETTLED_NS:
                self._verified.keep(identity, digest)
        return found.st_size

    def _put(self, path: Path, digest: Digest, fd: int) -> bool:
        try:
            self._open(path, digest).close()
        except NotFound:
            return self._folder.publish(path, _named(fd, digest))
        except (CorruptImage, LimitExceeded):
            return self._folder.publish(path, _named(fd, digest), os.replace)
        # whoever put it may not have come to its fsync yet, and we are about to vouch for it
        self._folder.sync(path)
        return False


class FileDerivatives:
    """Derivatives in a folder, each an envelope with a body of at most `max_bytes`; close it at the end."""

    name = "files"

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._folder = AtomicFolder(root / "derivatives")
        self._max_bytes = max_bytes

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Give what was put; a damaged file is deleted, so that a whole one can take its place."""
        path = self._folder.path / derivative_key(key)
        return await asyncio.wrap_future(self._folder.submit(partial(self._get, path)))

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep a derivative unless there is one; a larger one is declined."""
        path = self._folder.path / derivative_key(key)
        if len(derivative.body) <= self._max_bytes:
            await asyncio.wrap_future(self._folder.submit(partial(self._put, path, derivative)))

    async def purge(self, tenant: TenantName) -> int:
        """Forget a tenant's derivatives."""
        return await asyncio.wrap_future(
            self._folder.submit(partial(self._purge, self._folder.path, tenant_name(tenant)))
        )

    async def ping(self) -> None:
        """Return when the folder can be written to."""
        await self._folder.ping()

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written; how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _get(self, path: Path) -> Derivative | None:
        try:
            with path.open("rb") as file:
                return unpack(file.read(self._max_bytes + LARGEST_HEAD_BYTES))
        except FileNotFoundError:
            return None
        except ValueError:
            path.unlink(missing_ok=True)
            return None

    @staticmethod
    def _purge(folder: Path, tenant: TenantName) -> int:
        gone = 0
        for path in folder.glob(f"*/{tenant}/**/*"):
            if path.is_file():
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _put(self, path: Path, derivative: Derivative) -> None:
        if not path.exists():
            self._folder.publish(path, [pack(derivative)])


class FileResolvedReferences:
    """What references meant, in a folder; close it at the end."""

    def __init__(self, root: Path) -> None:
        self._folder = AtomicFolder(root / "references")

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Give what was kept."""
        return await asyncio.wrap_future(self._folder.submit(partial(self._read, self._path(tenant, reference))))

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        """Keep a meaning in the place of the one before."""
        write = partial(self._folder.publish, self._path(tenant, reference), [meaning.pack()], os.replace)
        await asyncio.wrap_future(self._folder.submit(write))

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written; how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _path(self, tenant: TenantName, reference: Reference) -> Path:
        return self._folder.path / tenant_name(tenant) / reference.fingerprint

    @staticmethod
    def _read(path: Path) -> ResolvedReference | None:
        try:
            return ResolvedReference.unpack(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None


class _Verified:
    """The files whose hash has been checked, least recently used first; shared by threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Identity, Digest] = OrderedDict()
        self._lock = Lock()

    def holds(self, identity: _Identity, digest: Digest) -> bool:
        with self._lock:
            if self._kept.get(identity) != digest:
                return False
            self._kept.move_to_end(identity)
            return True

    def keep(self, identity: _Identity, digest: Digest) -> None:
        with self._lock:
            self._kept[identity] = digest
            if len(self._kept) > _VERIFIED_FILES:
                self._kept.popitem(last=False)


def _named(fd: int, digest: Digest) -> Iterator[bytes]:
    """Read a file without moving its offset; CorruptImage at the end when its bytes do not have the name."""
    seen = sha256()
    at = 0
    while chunk := os.pread(fd, _CHUNK_BYTES, at):
        seen.update(chunk)
        at += len(chunk)
        yield chunk
    if seen.hexdigest() != digest:
        raise CorruptImage("The original's bytes do not have its name.")


def _close(opened: "Future[OpenOriginal]") -> None:
    """Close what a cancelled caller will never see."""
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
