"""Intake: from staged bytes to an original that was examined and stored, and is not recorded yet.

The steps: upload rules by name, declared type and size; the format by the first bytes; the header and the limits, in
the sandbox; one decode to the end, in the sandbox; what follows the image's end is cut off; the scanner, if the
tenant's rules ask for it; the bytes are stored. An interrupted intake leaves at most an original without a record,
which the same upload completes later.

Bytes that the scanner finds something in are never stored. While it is out, bytes are put into the quarantine, where
delivery does not read, and a job scans them later.

Between storing and recording, the same bytes may be deleted for good: who records them locks the original's row, and
then makes sure that they are still stored (`AcceptedFile.ensure_stored`).
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from catalog.core.api_errors import UploadRefused, UploadTooLarge
from catalog.core.errors import ScannerUnavailable
from catalog.core.image_status import ImageStatus
from catalog.core.tenant_rules import TenantRules
from catalog.core.upload_rules import Candidate, UploadRules, check_upload, find_active_content, with_sniffed
from catalog.images.service import find_by_original
from catalog.ports import Platform, Scanning
from catalog.records.database import Database
from catalog.scanning.service import AWAITING_SCAN
from catalog.tenants.rules import limits_of, limits_of_tenant, rules_of_tenant
from catalog.uploads.stored_file import StoredFile
from proxy.core.errors import LimitExceeded
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.examination import Examination
from proxy.core.media.formats import SNIFF_BYTES, Format, readable, sniff
from proxy.core.planning.limits import Limits, check_source
from proxy.delivery.staging import StagedFile
from proxy.ports import OpenOriginal, Originals, Pixels

_COPY_BYTES: Final = 1024 * 1024
_ERRORS: Final[Mapping[str, type[LimitExceeded] | type[UploadTooLarge]]] = {
    "too-large": UploadTooLarge,
    "too-many-pixels": LimitExceeded,
}
"""Errors of violations that are not refusals of a kind of file."""


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What one tenant takes."""

    limits: Limits
    tenant: TenantRules

    @property
    def staging_bytes(self) -> int:
        """The most bytes of a file that any of the tenant's rules takes: what the file is for may come after it."""
        uploads = self.tenant.uploads
        most = max(rules.max_bytes for rules in (uploads.default, *uploads.by_entity_type.values()))
        return min(most, self.limits.source_bytes)


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """An original that was examined, and stored unless `status` says otherwise.

    Its staged file has to be open until it is recorded.
    """

    original: Digest
    size_bytes: int
    file_name: str | None
    examination: Examination
    keep_location: bool
    stored: StoredFile | None = None
    """None where the bytes are not stored, and for an original that a record protects from deletion."""
    status: ImageStatus = ImageStatus.READY
    """`processing`: stored in the quarantine until it is scanned. `quarantined`: infected, and not stored."""
    reason: str | None = None

    async def ensure_stored(self) -> None:
        """Make sure that the bytes are stored; the caller has locked the row of the original."""
        if self.stored is not None:
            await self.stored.ensure()

    @property
    def signature(self) -> str | None:
        """What the scanner found."""
        return self.reason if self.status is ImageStatus.QUARANTINED else None


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in files; `limits` are those of a tenant without its own."""

    database: Database
    originals: Originals
    pixels: Pixels
    limits: Limits
    formats: tuple[Format, ...]
    scanning: Scanning | None

    async def rules_of(self, tenant: TenantName) -> IntakeRules:
        """Return what a tenant takes."""
        limits = await limits_of_tenant(self.database, tenant, self.limits)
        return IntakeRules(limits, await rules_of_tenant(self.database, tenant))

    async def accept(
        self, tenant: TenantName, rules: IntakeRules, staged: StagedFile, candidate: Candidate, entity_type: str | None
    ) -> AcceptedFile:
        """Examine and store a staged file of the candidate's name and declared type; what follows its end is cut off.

        Raise UploadRefused, UploadTooLarge, UnsupportedFormat, CorruptImage, LimitExceeded, ScannerLimitExceeded or
        Unavailable; nothing is stored then.
        """
        file = await self._prepare(rules, staged, candidate, entity_type)
        return await self._store(tenant, file, staged, scan=rules.tenant.scan)

    async def check(self, rules: IntakeRules, staged: StagedFile, candidate: Candidate) -> Digest:
        """Do what `accept` does up to the scanner and the store; return the name that the original would have."""
        return (await self._prepare(rules, staged, candidate, None)).original

    async def _prepare(
        self, rules: IntakeRules, staged: StagedFile, candidate: Candidate, entity_type: str | None
    ) -> AcceptedFile:
        """Examine a staged file, cut it at the image's end, and return what is to be stored."""
        upload_rules = rules.tenant.uploads.rules_for(entity_type)
        with staged.open() as original:
            examination = await self._examine(original, candidate, upload_rules, rules.limits)
        if examination.end_bytes is not None and examination.end_bytes < staged.size_bytes:
            await staged.truncate(examination.end_bytes)
        if upload_rules.reject_active_content:
            with staged.open() as original:
                active = await asyncio.to_thread(find_active_content, _blocks(original))
            self._check(replace(candidate, active_content=active), upload_rules)
        keep_location = rules.tenant.keep_location
        return AcceptedFile(staged.digest, staged.size_bytes, candidate.file_name, examination, keep_location)

    async def _store(self, tenant: TenantName, file: AcceptedFile, staged: StagedFile, *, scan: bool) -> AcceptedFile:
        """Scan if need be, and store what may be stored."""
        if not scan or self.scanning is None:
            async with self.database.reading() as session:
                image = await find_by_original(session, tenant, file.original)
            if image is not None and image.status == ImageStatus.QUARANTINED.value:
                return replace(file, status=ImageStatus.QUARANTINED, reason=image.reason)
            return await _put(self.originals, tenant, file, staged)
        try:
            with staged.open() as original:
                signature = await self.scanning.scanner.scan(original)
        except ScannerUnavailable:
            waiting = replace(file, status=ImageStatus.PROCESSING, reason=AWAITING_SCAN)
            return await _put(self.scanning.quarantine, tenant, waiting, staged)
        if signature is not None:
            return replace(file, status=ImageStatus.QUARANTINED, reason=signature)
        return await _put(self.originals, tenant, file, staged)

    async def _examine(
        self, original: OpenOriginal, candidate: Candidate, rules: UploadRules, limits: Limits
    ) -> Examination:
        candidate = replace(candidate, size_bytes=original.size_bytes)
        self._check(candidate, rules)
        candidate = with_sniffed(candidate, sniff(original.head(SNIFF_BYTES)))
        self._check(candidate, rules)
        # The header first: an image over a limit is refused before its pixels are decoded.
        facts = await self.pixels.probe(original)
        check_source(facts, limits)
        candidate = replace(candidate, facts=facts)
        self._check(candidate, rules)
        examination = await self.pixels.examine(original)
        check_source(examination.facts, limits)
        end = original.size_bytes if examination.end_bytes is None else examination.end_bytes
        self._check(replace(candidate, facts=examination.facts, trailing_bytes=original.size_bytes - end), rules)
        return examination

    def _check(self, candidate: Candidate, rules: UploadRules) -> None:
        """Raise the error of the first violation."""
        violation = check_upload(candidate, rules, self.formats)
        if violation is None:
            return
        if violation.code in _ERRORS:
            raise _ERRORS[violation.code](violation.detail)
        raise UploadRefused(violation.code, violation.detail)


def intake_of(platform: Platform) -> Intake:
    """Return the intake of an installation, with the installation's limits."""
    settings = platform.settings
    return Intake(
        platform.database,
        platform.originals,
        platform.pixels,
        limits_of(settings),
        readable(settings.formats),
        platform.scanning,
    )


async def _put(store: Originals, tenant: TenantName, file: AcceptedFile, staged: StagedFile) -> AcceptedFile:
    stored = StoredFile(store, tenant, staged)
    await stored.put()
    return replace(file, stored=stored)


def _blocks(original: OpenOriginal) -> Iterator[bytes]:
    """Yield a file in blocks, blocking the thread."""
    at = 0
    while block := os.pread(original.fd, _COPY_BYTES, at):
        at += len(block)
        yield block
