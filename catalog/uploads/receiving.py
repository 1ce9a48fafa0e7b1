"""Receiving: bytes of a request become durable blocks of an upload, in pieces of bounded size.

What has arrived when a request is cut off is kept, so its client goes on from there. A kill of the server loses at most
one block, which was not acknowledged. A body with a checksum is kept only when its end has shown that it is right.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import new
from typing import Final

from catalog.core.api_errors import ApiError, UploadTooLarge
from catalog.core.upload_errors import ChecksumMismatch, OffsetConflict, UploadGone
from catalog.records.base import now
from proxy.core.errors import LimitExceeded
from proxy.core.identifiers import TenantName, UploadId
from proxy.delivery.staging import StagedFile
from proxy.ports import StoredParts, UploadParts

MAX_BLOCKS: Final = 4_000
"""Of one upload: a client that sends a few bytes in each request comes to an end."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request should hash to; `algorithm` is one that hashlib knows."""

    algorithm: str
    digest: bytes


@dataclass(slots=True)
class BlockWriter:
    """Appends to one upload, from the end of what is stored, at most to `size_bytes`."""

    parts: UploadParts
    tenant: TenantName
    upload: UploadId
    stored: StoredParts
    size_bytes: int
    expires_at: datetime

    @property
    def offset(self) -> int:
        """The end of what is durable."""
        return self.stored.size_bytes

    async def receive(self, body: AsyncIterator[bytes], checksum: Checksum | None = None) -> None:
        """Write a body. Raise what reading it raises, and what `append` raises.

        What arrived before is kept, without a checksum; with one, raise ChecksumMismatch if it is another.
        """
        if checksum is not None:
            await self._receive_checked(body, checksum)
            return
        block = bytearray()
        chunks = aiter(body)
        while (chunk := await self._next(chunks, block)) is not None:
            block += chunk
            if len(block) >= self.parts.block_bytes:
                await self._flush(block)
        await self._flush(block)

    async def append(self, block: bytes) -> None:
        """Write a block durably.

        Raise OffsetConflict if another request has written there, UploadGone if the upload has expired, LimitExceeded
        if it has too many blocks.
        """
        if self.expires_at <= now():
            raise UploadGone
        if self.stored.blocks >= MAX_BLOCKS:
            raise LimitExceeded(f"The upload came in more than {MAX_BLOCKS} pieces: send more bytes in each request.")
        if not await self.parts.append(self.tenant, self.upload, self.offset, block):
            raise OffsetConflict
        self.stored = StoredParts(self.offset + len(block), self.stored.blocks + 1)

    async def _next(self, chunks: AsyncIterator[bytes], block: bytearray) -> bytes | None:
        """Return the next chunk, or None at the end; what is in `block` is good if no more comes."""
        try:
            chunk = await anext(chunks, None)
            self._check_end(len(block) + len(chunk or b""))
        except ApiError:
            await self._flush(block)
            raise
        return chunk

    async def _flush(self, block: bytearray) -> None:
        if block:
            await self.append(bytes(block))
            block.clear()

    async def _receive_checked(self, body: AsyncIterator[bytes], checksum: Checksum) -> None:
        actual = new(checksum.algorithm, usedforsecurity=False)
        with StagedFile(self.size_bytes) as staged:
            async for chunk in body:
                self._check_end(staged.size_bytes + len(chunk))
                actual.update(chunk)
                await staged.append(chunk)
            if not hmac.compare_digest(actual.digest(), checksum.digest):
                raise ChecksumMismatch
            with staged.open() as source:
                at = 0
                while block := await asyncio.to_thread(os.pread, source.fd, self.parts.block_bytes, at):
                    await self.append(block)
                    at += len(block)

    def _check_end(self, pending_bytes: int) -> None:
        if self.offset + pending_bytes > self.size_bytes:
            raise UploadTooLarge(f"The file has {self.size_bytes} bytes, and more are sent: create another upload.")
