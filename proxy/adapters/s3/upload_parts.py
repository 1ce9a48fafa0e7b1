"""Parts of uploads in S3: `{prefix}/uploads/{tenant}/{upload}/{offset}`, one object for each block.

Writes are put-if-absent (`If-None-Match: *`), so nodes may share an upload. A client that sends its file straight to
the store writes the block at offset 0, by a form that is bound to this key and to the file's length.
"""

import os
from io import BytesIO
from typing import IO, TYPE_CHECKING

from proxy.adapters import offload
from proxy.adapters.s3.bucket import Bucket, joined
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName, UploadId, tenant_name, upload_id
from proxy.ports import OpenOriginal, PresignedPost, Sink, StoredParts, block_name, parts_of, without_gap

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

_CHUNK_BYTES = 2**18
_MEDIA_TYPE = "application/octet-stream"


class S3UploadParts:
    """Blocks in a bucket."""

    block_bytes = 4 * 2**20

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "uploads"))

    async def stored(self, tenant: TenantName, upload: UploadId) -> StoredParts:
        """See `UploadParts`."""
        return parts_of(without_gap(await self._objects(_folder(tenant, upload))))

    async def append(self, tenant: TenantName, upload: UploadId, offset: int, block: bytes) -> bool:
        """See `UploadParts`."""
        name = joined(_folder(tenant, upload), block_name(offset))
        digest = await offload.digest(block)
        async with self._bucket.call():
            return await self._bucket.put(name, BytesIO(block), digest=digest, media_type=_MEDIA_TYPE, labels={})

    async def replace(self, tenant: TenantName, upload: UploadId, source: OpenOriginal) -> None:
        """See `UploadParts`."""
        name = joined(_folder(tenant, upload), block_name(0))
        with _reopen(source) as body:
            digest = await offload.file_digest(source.size_bytes, body)
            async with self._bucket.call():
                await self._bucket.replace(name, body, digest=digest, media_type=_MEDIA_TYPE, labels={})

    async def read(self, tenant: TenantName, upload: UploadId, sink: Sink) -> None:
        """See `UploadParts`."""
        folder = _folder(tenant, upload)
        for name, size_bytes in without_gap(await self._objects(folder)):
            async with self._bucket.call():
                await self._read(joined(folder, name), size_bytes, sink)

    async def delete(self, tenant: TenantName, upload: UploadId) -> None:
        """See `UploadParts`."""
        folder = _folder(tenant, upload)
        while True:
            async with self._bucket.call():
                page = await self._bucket.list_objects(folder)
                if not page:
                    return
                await self._bucket.delete_batch(name for name, _ in page)

    async def uploads(self, tenant: TenantName) -> list[str]:
        """See `UploadParts`."""
        names: list[str] = []
        while True:
            async with self._bucket.call():
                page = await self._bucket.list_folders(tenant_name(tenant), after=names[-1] if names else "")
            if not page:
                return names
            names += page

    async def presign(
        self, tenant: TenantName, upload: UploadId, size_bytes: int, lifetime_s: int
    ) -> PresignedPost | None:
        """See `UploadParts`."""
        name = joined(_folder(tenant, upload), block_name(0))
        async with self._bucket.call():
            return PresignedPost(*await self._bucket.presign_post(name, size_bytes, lifetime_s))

    async def free_bytes(self) -> int | None:
        """Return None: a bucket has no end."""
        return None

    async def _objects(self, folder: str) -> list[tuple[str, int]]:
        """Return the last part of the name, and the size, of all objects in a folder."""
        objects: list[tuple[str, int]] = []
        last = ""
        while True:
            async with self._bucket.call():
                page = await self._bucket.list_objects(folder, after=last)
            if not page:
                return objects
            objects += [(name.rpartition("/")[2], size_bytes) for name, size_bytes in page]
            last = page[-1][0]

    async def _read(self, name: str, size_bytes: int, sink: Sink) -> None:
        response = await self._bucket.fetch(name)
        if response is None or response["ContentLength"] != size_bytes:
            raise Unavailable("A part of the upload has changed while it was read.")
        expected = sink.size_bytes + size_bytes
        body = response["Body"]
        async with body:
            async for chunk in body.iter_chunks(_CHUNK_BYTES):
                await sink.append(chunk)
        # the stream checks no length
        if sink.size_bytes != expected:
            raise Unavailable("The picture store ended its answer early.")


def _folder(tenant: TenantName, upload: UploadId) -> str:
    return f"{tenant_name(tenant)}/{upload_id(upload)}"


def _reopen(source: OpenOriginal) -> IO[bytes]:
    """Open the file once more: its own offset, its own lifetime."""
    return os.fdopen(os.open(f"/proc/self/fd/{source.fd}", os.O_RDONLY | os.O_CLOEXEC), "rb")
