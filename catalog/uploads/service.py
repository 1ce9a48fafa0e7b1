"""The library: how an original comes in.

The walk of one upload: copy within the byte limit while hashing → sniff → probe in the sandbox → limits → keep the
bytes → write the record. In that order nothing acknowledged is lost, and an upload that is interrupted leaves at
most an original that no record mentions, which the same upload finds again. Names and media types that a client
declares are never believed.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func

from catalog.records.database import Database
from catalog.records.render_records import insert, original_row
from catalog.records.tables import FILE_NAME_LENGTH
from catalog.records.tables import Original as OriginalRecord
from catalog.tenants.rules import limits_of_tenant
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
    """An original that is kept; width and height as a viewer sees it, upright, in pixels."""

    original: Digest
    size_bytes: int
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class UploadService:
    """Where originals are taken in."""

    database: Database
    originals: Originals
    pixels: Pixels
    limits: Limits
    formats: Sequence[Format] = ALWAYS_READ

    async def upload(self, tenant: TenantName, source: AsyncIterator[bytes], file_name: str | None = None) -> Uploaded:
        """Take in one original; the same bytes twice are one.

        Refuses with TenantNotFound, LimitExceeded, UnsupportedFormat, CorruptImage, Unavailable; then nothing is
        recorded.
        """
        limits = await limits_of_tenant(self.database, tenant, self.limits)
        with StagedFile(limits.source_bytes) as intake:
            async for chunk in source:
                await intake.append(chunk)
            with intake.open() as original:
                facts = await self._examine(original, limits)
                os.lseek(original.fd, 0, os.SEEK_SET)
                await self.originals.put(tenant, intake.digest, original)
            await self._record(tenant, intake, facts, file_name)
        seen = facts.upright
        return Uploaded(intake.digest, intake.size_bytes, facts.format.media_type, seen.width, seen.height)

    async def _examine(self, original: OpenOriginal, limits: Limits) -> Facts:
        """Say what it is; refused before a worker sees it where the first bytes are of no known kind."""
        found = sniff(original.head(SNIFF_BYTES))
        if found not in self.formats:
            names = ", ".join(one.name for one in self.formats)
            if found is not None:
                how = f"DARKROOM_FORMATS={found.name} takes it as well"
                raise UnsupportedFormat(f"This is {found.name}; taken are {names}. {how}.")
            raise UnsupportedFormat(f"This is no picture of a kind that is taken: {names}.")
        facts = await self.pixels.probe(original)
        check_source(facts, limits)
        return facts

    async def _record(self, tenant: TenantName, intake: StagedFile, facts: Facts, file_name: str | None) -> None:
        """Write the record, or complete the one that a render has left; what an earlier upload told stays."""
        row = original_row(tenant, intake.digest, facts)
        row.size_bytes = intake.size_bytes
        row.file_name = None if file_name is None else bounded(file_name)
        async with self.database.writing() as session:
            told = insert(session, OriginalRecord)
            kept = {
                name: func.coalesce(told.table.c[name], told.excluded[name]) for name in ("size_bytes", "file_name")
            }
            await session.execute(
                told.on_conflict_do_update(index_elements=["tenant", "sha256"], set_=kept), row.model_dump()
            )


async def read_file(path: Path) -> AsyncIterator[bytes]:
    """Give a file in chunks, read beside the event loop; OSError where it cannot be read."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def bounded(file_name: str) -> str:
    """Give the last part of a file's name, without control characters, at most FILE_NAME_LENGTH long."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in last)[:FILE_NAME_LENGTH]
