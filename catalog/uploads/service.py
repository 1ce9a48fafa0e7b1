"""Uploads: how an original is taken in.

The steps: copy within the byte limit while hashing, sniff the format, probe in the sandbox, check the limits, store the
bytes, write the record. In this order nothing acknowledged is lost. An interrupted upload leaves at most an original
without a record, which the same upload completes later. File names and media types that a client declares are never
trusted.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.records.base import FILE_NAME_LENGTH
from catalog.records.database import Database
from catalog.records.original import Original
from catalog.records.refusals import permit_unless_withdrawn
from catalog.records.render_records import insert, original_row
from catalog.tenants.rules import limits_of_tenant
from catalog.uploads.stored_file import StoredFile
from proxy.core.errors import UnsupportedFormat
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_READ, SNIFF_BYTES, Format, sniff
from proxy.core.planning.limits import Limits, check_source
from proxy.delivery.staging import StagedFile
from proxy.ports import OpenOriginal, Originals, Pixels

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A stored original; width and height are those of the upright image, in pixels."""

    original: Digest
    size_bytes: int
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class UploadService:
    """Takes in originals."""

    database: Database
    originals: Originals
    pixels: Pixels
    limits: Limits
    formats: Sequence[Format] = ALWAYS_READ

    async def upload(self, tenant: TenantName, source: AsyncIterator[bytes], file_name: str | None = None) -> Uploaded:
        """Store one original; uploading the same bytes again has no effect.

        Raise TenantNotFound, LimitExceeded, UnsupportedFormat, CorruptImage or Unavailable; nothing is recorded then.
        """
        limits = await limits_of_tenant(self.database, tenant, self.limits)
        with StagedFile(limits.source_bytes) as staged:
            async for chunk in source:
                await staged.append(chunk)
            with staged.open() as original:
                facts = await self._examine(original, limits)
            stored = StoredFile(self.originals, tenant, staged)
            await stored.put()
            await self._record(stored, facts, file_name)
        size = facts.upright
        return Uploaded(staged.digest, staged.size_bytes, facts.format.media_type, size.width, size.height)

    async def _examine(self, original: OpenOriginal, limits: Limits) -> Facts:
        """Return the facts; a file of an unsupported format is refused before a worker opens it."""
        kind = sniff(original.head(SNIFF_BYTES))
        if kind is None or kind not in self.formats:
            supported = f"Supported: {', '.join(supported.name for supported in self.formats)}."
            if kind is not None:
                advice = f"Set DARKROOM_FORMATS={kind.name} to enable it."
                raise UnsupportedFormat(f"The format {kind.name} is not enabled. {supported} {advice}")
            raise UnsupportedFormat(f"The file has an unsupported image format. {supported}")
        facts = await self.pixels.probe(original)
        check_source(facts, limits)
        return facts

    async def _record(self, stored: StoredFile, facts: Facts, file_name: str | None) -> None:
        tenant, staged = stored.tenant, stored.staged
        row = original_row(tenant, staged.digest, facts)
        row.size_bytes = staged.size_bytes
        row.file_name = None if file_name is None else display_name(file_name)
        async with self.database.writing() as session:
            await record_original(session, row)
            await stored.ensure()
            await permit_unless_withdrawn(session, tenant, staged.digest)


async def record_original(session: AsyncSession, row: Original) -> None:
    """Write the record of an original, or complete one that a render wrote; values of an earlier upload stay.

    The row is locked then. The caller goes on by making sure that the bytes are stored: until now they may have been
    deleted for good.
    """
    statement = insert(session, Original)
    columns, excluded = statement.table.c, statement.excluded
    first = {name: func.coalesce(columns[name], excluded[name]) for name in ("size_bytes", "file_name")}
    upsert = statement.on_conflict_do_update(index_elements=["tenant", "sha256"], set_=first)
    await session.execute(upsert, row.model_dump())


async def read_file(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in chunks, read in a thread. Raise OSError if it cannot be read."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def display_name(file_name: str) -> str:
    """Return the last part of a file name without control characters, at most 255 characters long."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)[:FILE_NAME_LENGTH]
