"""Originals and derivatives in S3, or in what speaks its language.

    {prefix}/originals/{tenant}/{digest}
    {prefix}/derivatives/{key}
    {prefix}/references/{tenant}/{SHA-256 of the reference}

Writes are put-if-absent (`If-None-Match: *`) with a SHA-256 that the server checks; what is read is hashed
here as it streams.
"""

import asyncio
import errno
import fcntl
import io
import os
from hashlib import sha256
from typing import IO, TYPE_CHECKING

from proxy.adapters.bucket import Bucket, joined
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound
from proxy.core.identifiers import (
    DerivativeKey,
    Digest,
    TenantName,
    derivative_key,
    digest_name,
    split_derivative_key,
    tenant_name,
)
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import SNIFF_BYTES, sniff
from proxy.core.url.resolved_reference import ResolvedReference
from proxy.core.url.source_reference import Reference
from proxy.ports import OpenOriginal

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

_CHUNK_BYTES = 2**16
_MEANING_BYTES = 4_096
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class S3Originals:
    """Originals in a bucket, each at most `max_bytes`."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, max_bytes: int) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "originals"))
        self._max_bytes = max_bytes

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Fetch an original into memory of its own, sealed. Refuses with NotFound, CorruptImage or LimitExceeded."""
        async with self._bucket.call():
            response = await self._bucket.find(self._name(tenant, digest))
            if response is None:
                raise NotFound("There is no such original.")
            self._limit(response["ContentLength"])
            return await self._fetch(response, digest)

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Keep `source`; False when there is one of its name."""
        self._limit(source.size_bytes)
        kind = sniff(source.head(SNIFF_BYTES))
        async with self._bucket.call():
            with _reopen(source) as body:
                return await self._bucket.put(
                    self._name(tenant, digest),
                    body,
                    digest=bytes.fromhex(digest),
                    media_type=kind.media_type if kind else "application/octet-stream",
                    labels={"cache-tag": _cache_tag(tenant, digest)},
                )

    async def ping(self) -> None:
        """Return when the bucket answers."""
        await self._bucket.ping()

    def _name(self, tenant: TenantName, digest: Digest) -> str:
        return f"{tenant_name(tenant)}/{digest_name(digest)}"

    def _limit(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {self._max_bytes}.", "source_bytes")

    async def _fetch(self, response: "GetObjectOutputTypeDef", digest: Digest) -> OpenOriginal:
        fd = os.memfd_create("darkroom-original", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            seen = sha256()
            size_bytes = 0
            # entering it gives aiohttp's response, which checks no length
            body = response["Body"]
            async with body:
                async for chunk in body.iter_chunks(_CHUNK_BYTES):
                    size_bytes += len(chunk)
                    self._limit(size_bytes)
                    seen.update(chunk)
                    _append(fd, chunk)
            _match(seen.hexdigest(), digest)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            os.lseek(fd, 0, os.SEEK_SET)
        except BaseException:
            os.close(fd)
            raise
        return OpenOriginal(fd, size_bytes)


class S3Derivatives:
    """Derivatives in a bucket, each at most `max_bytes`; a CDN may serve them from there as they are."""

    name = "s3"

    def __init__(self, client: "S3Client", bucket: str, prefix: str, max_bytes: int) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "derivatives"))
        self._max_bytes = max_bytes

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Give what was put; a damaged object is deleted, so that a whole one can take its place."""
        async with self._bucket.call():
            response = await self._bucket.find(derivative_key(key))
            if response is None:
                return None
            found = await self._fetch(response)
            if found is None:
                await self._bucket.delete(key)
            return found

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep a derivative unless there is one; a larger one is declined."""
        if len(derivative.body) > self._max_bytes:
            return
        digest = sha256(derivative.body).digest()
        parts = split_derivative_key(key)
        async with self._bucket.call():
            extra = {"sha256": digest.hex(), "cache-tag": _cache_tag(parts.tenant, parts.original)}
            await self._bucket.put(
                key,
                io.BytesIO(derivative.body),
                digest=digest,
                media_type=derivative.format.media_type,
                labels=derivative.labels() | extra,
            )

    async def purge(self, tenant: TenantName) -> int:
        """Forget a tenant's derivatives, a page of the listing at a time."""
        async with self._bucket.call():
            versions = await self._bucket.folders()
        return sum([await self._purge(f"{version}{tenant_name(tenant)}/") for version in versions])

    async def ping(self) -> None:
        """Return when the bucket answers."""
        await self._bucket.ping()

    async def _purge(self, prefix: str) -> int:
        gone = 0
        while True:
            async with self._bucket.call():
                names = await self._bucket.list_keys(prefix)
                await asyncio.gather(*map(self._bucket.delete, names))
            if not names:
                return gone
            gone += len(names)

    async def _fetch(self, response: "GetObjectOutputTypeDef") -> Derivative | None:
        if response["ContentLength"] > self._max_bytes:
            return None
        stream = response["Body"]
        async with stream:
            body = await stream.read()
        labels = response["Metadata"]
        if sha256(body).hexdigest() != labels.get("sha256"):
            return None
        try:
            return Derivative.read(body, labels)
        except ValueError:
            return None


class S3ResolvedReferences:
    """What references meant, in a bucket: small objects, and the only ones that change."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "references"))

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Give what was kept."""
        async with self._bucket.call():
            response = await self._bucket.find(self._name(tenant, reference))
            if response is None or response["ContentLength"] > _MEANING_BYTES:
                return None
            stream = response["Body"]
            async with stream:
                packed = await stream.read()
        try:
            return ResolvedReference.unpack(packed)
        except ValueError:
            return None

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        """Keep a meaning in the place of the one before."""
        async with self._bucket.call():
            await self._bucket.replace(self._name(tenant, reference), meaning.pack())

    def _name(self, tenant: TenantName, reference: Reference) -> str:
        return f"{tenant_name(tenant)}/{reference.fingerprint}"


def _append(fd: int, chunk: bytes) -> None:
    """Write to a memory file; all or an error, as a limit on memory cuts a write short first."""
    if os.write(fd, chunk) < len(chunk):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _match(seen: str, digest: Digest) -> None:
    if seen != digest:
        raise CorruptImage("The stored original is damaged.")


def _reopen(source: OpenOriginal) -> IO[bytes]:
    """Open the file once more: its own offset, its own lifetime, and no name for aiohttp to put into a header."""
    return os.fdopen(os.open(f"/proc/self/fd/{source.fd}", os.O_RDONLY | os.O_CLOEXEC), "rb")


def _cache_tag(tenant: str, original: str) -> str:
    return f"a-{tenant}-{original}, t-{tenant}"
