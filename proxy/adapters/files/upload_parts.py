"""Parts of uploads on a local disk: `{root}/uploads/{tenant}/{upload}/{offset}`, one file for each block.

How a block is written so that it appears whole or not at all, and survives a power cut, is described in
`proxy.adapters.files.atomic_folder`.
"""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from proxy.adapters.files.atomic_folder import AtomicFolder, translate_errors
from proxy.adapters.files.tree import delete, list_folders, remove_empty_folders, walk
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName, UploadId, tenant_name, upload_id
from proxy.ports import OpenOriginal, PresignedPost, Sink, StoredParts, block_name, parts_of, without_gap

_CHUNK_BYTES = 2**20


class FileUploadParts:
    """Blocks in a folder. Close it at the end."""

    block_bytes = 2**20

    def __init__(self, root: Path) -> None:
        self._folder = AtomicFolder(root / "uploads")

    async def stored(self, tenant: TenantName, upload: UploadId) -> StoredParts:
        """See `UploadParts`."""
        return parts_of(await self._blocks(self._path(tenant, upload)))

    async def append(self, tenant: TenantName, upload: UploadId, offset: int, block: bytes) -> bool:
        """See `UploadParts`."""
        path = self._path(tenant, upload) / block_name(offset)
        return await asyncio.wrap_future(self._folder.submit(partial(self._folder.publish, path, [block])))

    async def replace(self, tenant: TenantName, upload: UploadId, source: OpenOriginal) -> None:
        """See `UploadParts`."""
        path = self._path(tenant, upload) / block_name(0)
        with translate_errors():
            # a descriptor of our own: a cancelled caller closes its own while the thread still reads
            fd = os.dup(source.fd)
        try:
            future = self._folder.submit(partial(self._folder.publish, path, _read(fd), os.replace))
        except Unavailable:
            os.close(fd)
            raise
        future.add_done_callback(lambda _: os.close(fd))
        await asyncio.wrap_future(future)

    async def read(self, tenant: TenantName, upload: UploadId, sink: Sink) -> None:
        """See `UploadParts`."""
        folder = self._path(tenant, upload)
        for name, size_bytes in await self._blocks(folder):
            for start in range(0, size_bytes, _CHUNK_BYTES):
                read = partial(_read_range, folder / name, start, min(_CHUNK_BYTES, size_bytes - start))
                await sink.append(await asyncio.wrap_future(self._folder.submit(read)))

    async def delete(self, tenant: TenantName, upload: UploadId) -> None:
        """See `UploadParts`."""
        await asyncio.wrap_future(self._folder.submit(partial(self._delete, self._path(tenant, upload))))

    async def uploads(self, tenant: TenantName) -> list[str]:
        """See `UploadParts`."""
        folder = self._folder.path / tenant_name(tenant)
        return await asyncio.wrap_future(self._folder.submit(partial(list_folders, folder)))

    async def presign(
        self, _tenant: TenantName, _upload: UploadId, _size_bytes: int, _lifetime_s: int
    ) -> PresignedPost | None:
        """Return None: clients cannot reach a folder."""
        return None

    async def free_bytes(self) -> int | None:
        """Return the free bytes of the file system that holds the folder."""
        return await asyncio.wrap_future(self._folder.submit(self._free_bytes))

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written. Return how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _path(self, tenant: TenantName, upload: UploadId) -> Path:
        return self._folder.path / tenant_name(tenant) / upload_id(upload)

    async def _blocks(self, folder: Path) -> list[tuple[str, int]]:
        return await asyncio.wrap_future(self._folder.submit(partial(_blocks_in, folder)))

    def _delete(self, folder: Path) -> None:
        for file in walk(folder):
            delete(file.path, folder)
        remove_empty_folders(folder, self._folder.path)

    def _free_bytes(self) -> int:
        existing = next(path for path in (self._folder.path, *self._folder.path.parents) if path.exists())
        status = os.statvfs(existing)
        return status.f_bavail * status.f_frsize


def _blocks_in(folder: Path) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            return without_gap([(entry.name, entry.stat().st_size) for entry in entries])
    except FileNotFoundError:  # there is none, or it is deleted meanwhile
        return []


def _read_range(path: Path, start: int, count: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        content = os.pread(file.fileno(), count, start)
    if len(content) < count:
        raise Unavailable("A part of the upload has changed while it was read.")
    return content


def _read(fd: int) -> Iterator[bytes]:
    at = 0
    while chunk := os.pread(fd, _CHUNK_BYTES, at):
        at += len(chunk)
        yield chunk
