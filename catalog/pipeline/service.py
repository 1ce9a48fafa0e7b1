"""The pipeline's rows: its job is queued with the change that wants it, its outcome written with the job's end.

An image is usable before, during and after: `optimized` is null until the job has written it. Each write compares the
image with what the work was done for, under the row's lock, so work that was overtaken (the image was replaced,
trashed or deleted meanwhile) writes nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import ResourceConflict, ResourceNotFound
from catalog.core.image_status import SERVED, ImageStatus
from catalog.core.job_state import JobState, Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.jobs.enqueue import Owner, enqueue
from catalog.pipeline.examined import examined_columns, fact_columns
from catalog.pipeline.outcome import Outcome, Subject, explain, is_pipeline_part
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.image import REASON_LENGTH, Image
from catalog.records.job import Job
from catalog.records.uuid7 import is_uuid7
from catalog.search.indexing import index_image
from catalog.tenants.rules import rules_of_tenant
from proxy.core.identifiers import Digest, TenantName
from proxy.core.media.examination import PARTS, Examination
from proxy.ports import Originals, Pixels

KIND: Final = "image.process"
MAX_ATTEMPTS: Final = 10
"""A server may be busy for long: with the pauses between them, ten attempts take a quarter of an hour."""
PROCESSED: Final = "image.processed"
REPROCESSED: Final = "image.reprocessed"
_SERVED: Final = frozenset(status.value for status in SERVED)


async def enqueue_pipeline(session: AsyncSession, owner: Owner, image: Image) -> Job:
    """Queue the pipeline of an image that is new, or stands on other bytes than before, in the caller's transaction.

    What an earlier run made of other bytes is taken from the row. The image must have been flushed.
    """
    image.optimized = None
    image.failed_parts = [part for part in image.failed_parts if not is_pipeline_part(part)]
    return await _enqueue(session, owner, image)


async def find_subject(session: AsyncSession, tenant: TenantName, identifier: str | None) -> Subject | None:
    """Return what the pipeline works on; None if the image is gone or is not served."""
    query = select(Image).where(Image.id == identifier, Image.tenant == tenant)
    row = (await session.scalars(query)).one_or_none()
    return None if row is None or row.status not in _SERVED else _subject_of(row)


async def record_outcome(
    session: AsyncSession, subject: Subject, outcome: Outcome, principal: Principal, origin: Origin
) -> bool:
    """Write what a run has made, with an event if it changes anything; return False if the image was overtaken."""
    row = await _lock(session, subject.tenant, subject.image)
    if row is None or row.status not in _SERVED or not _stands_on(row, subject):
        return False
    before = _pipeline_document(row)
    failed = [failure.part for failure in outcome.failures]
    had_failed = any(map(is_pipeline_part, row.failed_parts))
    row.failed_parts = [*(part for part in row.failed_parts if not is_pipeline_part(part)), *failed]
    if failed or had_failed:
        reason = explain(outcome.failures)
        row.reason = None if reason is None else reason[:REASON_LENGTH]
    if outcome.optimized is not None or "optimized" not in failed:
        best = outcome.optimized
        row.optimized = None if best is None else asdict(best)
    after = _pipeline_document(row)
    if before != after:
        _touch(row)
        await session.flush()
        await record(session, principal, origin, PROCESSED, ("image", row.id), before=before, after=after)
    return True


async def reprocess(  # noqa: PLR0913, PLR0917 - the three ports that it needs, and who wants it
    database: Database,
    originals: Originals,
    pixels: Pixels,
    principal: Principal,
    origin: Origin,
    identifier: str,
) -> bool:
    """Examine the stored original of an image anew, renew its columns, and queue its pipeline.

    Return whether a column changed. What people say about the image stays. Raise ResourceNotFound, ResourceConflict for
    an image that is in the trash or was replaced meanwhile, and what opening and examining raise; nothing changes then.
    """
    tenant = principal.tenant
    async with database.reading() as session:
        subject = await find_subject(session, tenant, identifier) if is_uuid7(identifier) else None
        if subject is None:
            raise await _refusal(session, tenant, identifier)
    rules = await rules_of_tenant(database, tenant)
    with await originals.open(tenant, subject.original) as original:
        examination = await pixels.examine(original)
    async with database.writing() as session:
        row = await _lock(session, tenant, identifier)
        if row is None or row.status not in _SERVED or not _stands_on(row, subject):
            raise ResourceConflict("The image was changed meanwhile: reprocess it again.")
        changed = await _renew(session, row, examination, principal, origin, keep_location=rules.keep_location)
        await _enqueue(session, principal, row)
        return changed


async def list_identifiers(
    session: AsyncSession, tenant: TenantName, limit: int, after: str | None = None
) -> Sequence[str]:
    """Return ids of a tenant's images that are served, in order, behind `after`."""
    query = select(Image.id).where(Image.tenant == tenant, col(Image.status).in_(_SERVED)).order_by(col(Image.id))
    if after is not None:
        query = query.where(col(Image.id) > after)
    return (await session.scalars(query.limit(limit))).all()


async def _enqueue(session: AsyncSession, owner: Owner, image: Image) -> Job:
    """Queue the job, unless one for the same bytes of the image waits already.

    No `dedupe_key`: its index would make this transaction, which has locked the image, wait for that of a job which
    ends, and which waits for the image.
    """
    parameters = {"number": image.number, "original": image.original}
    query = select(Job).where(Job.image == image.id, Job.kind == KIND, Job.state == JobState.QUEUED.value)
    for waiting in await session.scalars(query):
        if waiting.parameters == parameters:
            return waiting
    return await enqueue(session, owner, KIND, parameters, Priority.PIPELINE, image=image.id, max_attempts=MAX_ATTEMPTS)


async def _renew(  # noqa: PLR0913 - the parts of one change
    session: AsyncSession,
    row: Image,
    examination: Examination,
    principal: Principal,
    origin: Origin,
    *,
    keep_location: bool,
) -> bool:
    columns = fact_columns(examination) | examined_columns(examination, keep_location=keep_location)
    columns["failed_parts"] = [*examination.failed, *(part for part in row.failed_parts if part not in PARTS)]
    changed = sorted(name for name, value in columns.items() if getattr(row, name) != value)
    for name in changed:
        setattr(row, name, columns[name])
    if changed:
        _touch(row)
        await index_image(session, row)
    after = {"changed": changed, "failed_parts": list(row.failed_parts)}
    await record(session, principal, origin, REPROCESSED, ("image", row.id), after=after)
    return bool(changed)


async def _refusal(session: AsyncSession, tenant: TenantName, identifier: str) -> ResourceNotFound | ResourceConflict:
    row = await session.get(Image, identifier) if is_uuid7(identifier) else None
    if row is None or row.tenant != tenant:
        return ResourceNotFound(f"There is no image {identifier[:64]}.")
    if row.status == ImageStatus.TRASHED.value:
        return ResourceConflict(f"The image {row.id} is in the trash: restore it first.")
    return ResourceConflict(f"The image {row.id} is {row.status}, and has no pipeline.")


async def _lock(session: AsyncSession, tenant: TenantName, identifier: str) -> Image | None:
    query = select(Image).where(Image.id == identifier, Image.tenant == tenant).with_for_update()
    return (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()


def _subject_of(row: Image) -> Subject:
    return Subject(
        tenant=TenantName(row.tenant),
        image=row.id,
        number=row.number,
        original=Digest(row.original),
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        pixels=row.width * row.height,
        frames=row.frames,
    )


def _stands_on(row: Image, subject: Subject) -> bool:
    return (row.number, row.original) == (subject.number, subject.original)


def _pipeline_document(row: Image) -> dict[str, Any]:
    return {"optimized": row.optimized, "failed_parts": list(row.failed_parts), "reason": row.reason}


def _touch(row: Image) -> None:
    """Count a change of the record: the ETag, and what it answers with, change together."""
    row.version += 1
    row.updated_at = now()
