"""Upload sessions: the rows of uploads that take more than one request.

The row is the truth about the state. The bytes are with the port `UploadParts`, which is the truth about how many there
are. Bytes exist only while a row does: they are written after the row, and deleted before it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.api_errors import NotPermitted, UploadRefused, UploadTooLarge
from catalog.core.roles import Principal
from catalog.core.upload_errors import InsufficientStorage, TooManyUploads, UploadGone, UploadNotFound
from catalog.core.upload_rules import Candidate, check_upload
from catalog.core.upload_state import UNFINISHED, UploadState
from catalog.records.base import now
from catalog.records.tenant_lock import lock_tenant
from catalog.records.upload_session import UploadSession
from catalog.records.uuid7 import is_uuid7, new_uuid
from catalog.uploads.intake import IntakeRules
from catalog.uploads.recording import check_collection, display_name
from catalog.uploads.schemas import UploadForm
from proxy.core.media.formats import Format

LIFETIME: Final = timedelta(hours=24)
MAX_OPEN: Final = 200
"""Uploads under way, of one tenant."""
MAX_OPEN_BYTES: Final = 20 * 2**30
"""Bytes that the uploads under way of one tenant announce together."""
_RESERVE_BYTES: Final = 256 * 2**20
"""Room on the disk that uploads leave alone."""
_COPIES: Final = 2
"""The parts of a file are on the disk until the original is."""


class Kind(Enum):
    """How the bytes come."""

    DIRECT = "direct"
    TUS = "tus"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client says of an upload before it sends bytes; without a size, the size follows (tus)."""

    kind: Kind
    file_name: str | None
    size_bytes: int | None
    declared_type: str | None = None
    sha256: str | None = None
    form: UploadForm = field(default_factory=lambda: UploadForm.model_validate({}))
    upload_metadata: str | None = None


def check_announcement(announced: Announcement, rules: IntakeRules, readable: tuple[Format, ...]) -> None:
    """Check what can be checked before a byte is sent. Raise UploadRefused or UploadTooLarge."""
    if announced.size_bytes is not None and announced.size_bytes > rules.staging_bytes:
        raise UploadTooLarge(f"The file has {announced.size_bytes} bytes; the limit is {rules.staging_bytes}.")
    candidate = Candidate(announced.file_name, announced.declared_type, announced.size_bytes)
    upload_rules = rules.tenant.uploads.rules_for(announced.form.entity_type)
    if (violation := check_upload(candidate, upload_rules, readable)) is not None:
        if violation.code == "too-large":
            raise UploadTooLarge(violation.detail)
        raise UploadRefused(violation.code, violation.detail)


async def open_session(
    session: AsyncSession, principal: Principal, announced: Announcement, most_bytes: int, free_bytes: int | None
) -> UploadSession:
    """Write the row of a new upload; `most_bytes` are reserved for one that does not know its size.

    Raise ValidationFailed for an unknown collection, TooManyUploads or InsufficientStorage.
    """
    size_bytes = most_bytes if announced.size_bytes is None else announced.size_bytes
    await lock_tenant(session, principal.tenant)
    await check_collection(session, principal, announced.form.collection)
    await _check_room(session, principal, size_bytes, free_bytes)
    row = UploadSession(
        id=new_uuid(),
        tenant=principal.tenant,
        kind=announced.kind.value,
        state=UploadState.OPEN.value,
        file_name=None if announced.file_name is None else display_name(announced.file_name),
        declared_type=announced.declared_type,
        size_bytes=size_bytes,
        deferred=announced.size_bytes is None,
        sha256=announced.sha256,
        fields=announced.form.model_dump(mode="json"),
        upload_metadata=announced.upload_metadata,
        created_by=principal.subject,
        expires_at=now() + LIFETIME,
    )
    session.add(row)
    await session.flush()
    return row


async def find_session(
    session: AsyncSession, principal: Principal, identifier: str, kind: Kind, *, lock: bool = False
) -> UploadSession:
    """Return an upload of the caller, in whatever state. Raise UploadNotFound, UploadGone or NotPermitted."""
    row = None
    if is_uuid7(identifier):
        query = select(UploadSession).where(
            UploadSession.id == identifier,
            UploadSession.tenant == principal.tenant,
            UploadSession.kind == kind.value,
        )
        row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise UploadNotFound
    if not principal.may_change(row.created_by):
        raise NotPermitted("A contributor may continue only their own uploads: ask an editor.")
    if row.expires_at <= now():
        raise gone(kind)
    return row


def check_unfinished(row: UploadSession) -> None:
    """Raise UploadGone or UploadNotFound if the upload takes no bytes any more."""
    if row.state not in UNFINISHED or row.expires_at <= now():
        raise gone(Kind(row.kind))


def gone(kind: Kind) -> UploadGone | UploadNotFound:
    """Return the error for an upload that has ended: tus tells it apart from one that never was."""
    return UploadGone() if kind is Kind.TUS else UploadNotFound()


async def set_size(session: AsyncSession, principal: Principal, identifier: str, size_bytes: int) -> UploadSession:
    """Write the size of an upload that did not know it. Raise what `find_session` and `check_unfinished` raise."""
    row = await find_session(session, principal, identifier, Kind.TUS, lock=True)
    check_unfinished(row)
    row.size_bytes, row.deferred = size_bytes, False
    return row


async def note_progress(session: AsyncSession, principal: Principal, identifier: str, received_bytes: int) -> None:
    """Write how far an upload is. Raise what `find_session` and `check_unfinished` raise."""
    row = await find_session(session, principal, identifier, Kind.TUS, lock=True)
    check_unfinished(row)
    row.received_bytes = received_bytes
    if received_bytes == row.size_bytes and not row.deferred:
        row.state = UploadState.RECEIVED.value


async def abort_session(session: AsyncSession, principal: Principal, identifier: str, kind: Kind) -> UploadSession:
    """End an upload; an image that it became stays. Raise what `find_session` raises."""
    row = await find_session(session, principal, identifier, kind, lock=True)
    if row.state == UploadState.ABORTED.value:
        raise gone(kind)
    row.state = UploadState.ABORTED.value
    return row


async def _check_room(session: AsyncSession, principal: Principal, size_bytes: int, free_bytes: int | None) -> None:
    query = select(func.count(), func.coalesce(func.sum(UploadSession.size_bytes), 0)).where(
        UploadSession.tenant == principal.tenant,
        col(UploadSession.state).in_(UNFINISHED),
        col(UploadSession.expires_at) > now(),
    )
    count, open_bytes = (await session.execute(query)).one()
    open_bytes = int(open_bytes) + size_bytes
    if count >= MAX_OPEN:
        raise TooManyUploads(f"The tenant has {MAX_OPEN} uploads under way: complete or delete some first.")
    if open_bytes > MAX_OPEN_BYTES:
        detail = f"The tenant's uploads under way have more than {MAX_OPEN_BYTES} bytes: complete or delete some first."
        raise TooManyUploads(detail)
    if free_bytes is not None and free_bytes - _RESERVE_BYTES < open_bytes * _COPIES:
        raise InsufficientStorage
