"""Uploads from this machine: a stream of bytes becomes an image, by the same intake and recording as over the API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from catalog.core.api_errors import UploadTooLarge
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Principal
from catalog.core.upload_rules import Candidate
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.uploads.intake import AcceptedFile, Intake, IntakeRules
from catalog.uploads.recording import RecordedUpload, UploadFields, record_upload
from proxy.core.errors import LimitExceeded
from proxy.core.identifiers import Digest
from proxy.core.planning.limits import Limits
from proxy.delivery.staging import StagedFile

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The original of an uploaded image; width and height are those of the upright image, in pixels."""

    original: Digest
    size_bytes: int
    media_type: str
    width: int
    height: int

    @classmethod
    def of(cls, image: Image) -> Self:
        """Return the original that an image stands on."""
        return cls(Digest(image.original), image.size_bytes, image.media_type, image.width, image.height)


@dataclass(frozen=True, slots=True)
class UploadService:
    """Takes in files of this machine."""

    intake: Intake

    @property
    def database(self) -> Database:
        """The catalog's database."""
        return self.intake.database

    @property
    def limits(self) -> Limits:
        """The installation's limits."""
        return self.intake.limits

    async def upload(
        self,
        principal: Principal,
        source: AsyncIterator[bytes],
        file_name: str | None = None,
        fields: UploadFields | None = None,
    ) -> RecordedUpload:
        """Store and record one image; uploading the same bytes again adds tags and links, as over the API.

        Raise TenantNotFound, and what `Intake.accept` and `record_upload` raise; nothing is recorded then.
        """
        fields, rules = fields or UploadFields(), await self.intake.rules_of(principal.tenant)
        with StagedFile(rules.staging_bytes) as staged:
            await stage(staged, rules, source)
            file = await self._accept(principal, rules, staged, file_name, fields)
        async with self.database.writing() as session:
            return await record_upload(session, principal, COMMAND_LINE, file, fields)

    async def _accept(
        self, principal: Principal, rules: IntakeRules, staged: StagedFile, file_name: str | None, fields: UploadFields
    ) -> AcceptedFile:
        entity_type = None if fields.entity is None else fields.entity.type
        return await self.intake.accept(principal.tenant, rules, staged, Candidate(file_name), entity_type)


async def stage(staged: StagedFile, rules: IntakeRules, source: AsyncIterator[bytes]) -> None:
    """Write a stream into a staged file. Raise UploadTooLarge or LimitExceeded, by whose limit it is over."""
    try:
        async for chunk in source:
            await staged.append(chunk)
    except LimitExceeded as error:
        if rules.staging_bytes < rules.limits.source_bytes:
            raise UploadTooLarge(error.detail) from None
        raise


async def read_file(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in chunks, read in a thread. Raise OSError if it cannot be read."""
    with await asyncio.to_thread(path.open, "rb") as file:
        async for chunk in read_open_file(file):
            yield chunk


async def read_open_file(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the rest of an open file in chunks, read in a thread."""
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk
