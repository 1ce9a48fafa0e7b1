"""Originals in S3, or in a store that implements its API: `{prefix}/originals/{tenant}/{digest}`.

Writes are put-if-absent (`If-None-Match: *`) with a SHA-256 that the server checks; what is read is hashed as it
streams. Hashing and copying of large bodies happen in threads, so that hits are not held up by them.
"""

import errno
import fcntl
import os
from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256
from typing import IO, TYPE_CHECKING

from proxy.adapters import offload
from proxy.adapters.s3.bucket import Bucket, joined
from proxy.adapters.s3.client import with_retry
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound
from proxy.core.identifiers import Digest, TenantName, digest_name, tenant_name
from proxy.core.media.formats import SNIFF_BYTES, sniff
from proxy.ports import OpenOriginal

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

_CHUNK_BYTES = 2**16
_BATCH_BYTES = 2**20
"""What is hashed and copied at once: the stream hands out smaller chunks than are worth a thread."""
_MEMORY_FILE_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class S3Originals:
    """Originals in a bucket, each at most `max_bytes`."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, max_bytes: int) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "originals"))
        self._max_bytes = max_bytes

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Fetch an original into a sealed memory file. Raise NotFound, CorruptImage or LimitExceeded."""
        name = _name(tenant, digest)
        async with self._bucket.call():
            response = await self._bucket.fetch(name)
            if response is None:
                raise NotFound("There is no such original.")
            self._check_size(response["ContentLength"])
            return await self._receive(response, digest)

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Store `source`. Return False if it is there and whole; a damaged original is replaced.

        An object of this name is read back and hashed, as its length, and even a checksum that is stored beside it, do
        not tell whether the bytes still are what was uploaded.
        """
        self._check_size(source.size_bytes)
        name, kind = _name(tenant, digest), sniff(source.head(SNIFF_BYTES))
        with _reopen(source) as body:
            headers = {
                "digest": bytes.fromhex(digest),
                "media_type": kind.media_type if kind else "application/octet-stream",
                "labels": {"cache-tag": f"a-{tenant}-{digest}, t-{tenant}"},
            }
            put = partial(self._bucket.put, name, body, **headers)  # type: ignore[arg-type]
            async with self._bucket.call():
                if await put():
                    return True
            if await self._is_whole(tenant, digest):
                return False
            async with self._bucket.call():
                await self._bucket.replace(name, body, **headers)  # type: ignore[arg-type]
            return True

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        """Return whether an original is stored, by its name alone."""
        name = _name(tenant, digest)
        async with self._bucket.call():
            return await self._bucket.contains(name)

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        """Delete an original, if it is stored. A bucket with versions keeps its bytes until a rule expires them."""
        name = _name(tenant, digest)
        async with self._bucket.call():
            await with_retry(partial(self._bucket.delete, name))

    async def ping(self) -> None:
        """Return if the bucket answers."""
        await self._bucket.ping()

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {self._max_bytes}.", "source_bytes")

    async def _is_whole(self, tenant: TenantName, digest: Digest) -> bool:
        try:
            (await self.open(tenant, digest)).close()
        except (CorruptImage, LimitExceeded, NotFound):
            return False
        return True

    async def _receive(self, response: "GetObjectOutputTypeDef", digest: Digest) -> OpenOriginal:
        fd = os.memfd_create("darkroom-original", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            actual, size_bytes = sha256(), 0

            def take(batch: bytes) -> None:
                actual.update(batch)
                _append(fd, batch)

            async for batch in _batches(response):
                size_bytes += len(batch)
                self._check_size(size_bytes)
                await offload.run(len(batch), partial(take, batch))
            _check_digest(actual.hexdigest(), digest)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _MEMORY_FILE_SEALS)
            os.lseek(fd, 0, os.SEEK_SET)
        except BaseException:
            os.close(fd)
            raise
        return OpenOriginal(fd, size_bytes)


async def _batches(response: "GetObjectOutputTypeDef") -> AsyncIterator[bytes]:
    """Yield a body in batches of about `_BATCH_BYTES`."""
    # entering the body returns aiohttp's response, which checks no length
    body = response["Body"]
    batch = bytearray()
    async with body:
        async for chunk in body.iter_chunks(_CHUNK_BYTES):
            batch += chunk
            if len(batch) >= _BATCH_BYTES:
                yield bytes(batch)
                batch.clear()
    if batch:
        yield bytes(batch)


def _name(tenant: TenantName, digest: Digest) -> str:
    return f"{tenant_name(tenant)}/{digest_name(digest)}"


def _check_digest(actual: str, digest: Digest) -> None:
    if actual != digest:
        raise CorruptImage("The stored original is damaged: its bytes do not have its SHA-256.")


def _append(fd: int, content: bytes) -> None:
    """Write to a memory file. Raise OSError if it does not take all: a limit on memory cuts a write short first."""
    if os.write(fd, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reopen(source: OpenOriginal) -> IO[bytes]:
    """Open the file once more: its own offset, its own lifetime, and no name for aiohttp to put into a header."""
    return os.fdopen(os.open(f"/proc/self/fd/{source.fd}", os.O_RDONLY | os.O_CLOEXEC), "rb")
