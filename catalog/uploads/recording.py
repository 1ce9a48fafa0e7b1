"""Recording: an accepted file becomes an image, in one transaction.

Within a tenant the same bytes are one image. Of two uploads of the same bytes at once, the second waits for the first
one's row and then finds the image. The row of the original is locked first: a deletion for good holds the same lock
while it deletes the bytes, so under the lock it is made sure that they are stored.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.audit.service import record
from catalog.core.api_errors import FieldError, ResourceConflict, ValidationFailed
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.entities.service import EntityRef, images_of, link_image
from catalog.images import service as images
from catalog.images.focal_points import point_of_original
from catalog.images.service import CENTRE, Description
from catalog.pipeline.examined import examined_columns, fact_columns
from catalog.pipeline.service import enqueue_pipeline
from catalog.records.base import FILE_NAME_LENGTH
from catalog.records.collection import Collection
from catalog.records.image import MAX_TAGS, Image, ImageVersion
from catalog.records.original import Original
from catalog.records.refusals import refresh_refusals
from catalog.records.render_records import insert, original_row
from catalog.records.uuid7 import new_uuid
from catalog.scanning.service import apply_answer, enqueue_scan
from catalog.search.indexing import index_image
from catalog.uploads.intake import AcceptedFile
from proxy.core.identifiers import Digest

CREATED: Final = "image.created"
UPDATED: Final = "image.updated"
BANDS: Final = 4


@dataclass(frozen=True, slots=True)
class UploadFields:
    """What an upload says about its image."""

    description: Description = field(default_factory=Description)
    entity: EntityRef | None = None
    primary: bool | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedUpload:
    """An image, and whether this upload created it."""

    image: Image
    created: bool


async def record_upload(
    session: AsyncSession, principal: Principal, origin: Origin, file: AcceptedFile, fields: UploadFields
) -> RecordedUpload:
    """Record an image, or add tags and the link of `fields` to the one that stands on these bytes.

    Raise ValidationFailed for an unknown collection, and ResourceConflict where a tag or link does not fit.
    """
    await check_collection(session, principal, fields.collection)
    await record_file(session, principal, file)
    fields = await _with_focus_of_original(session, principal, file, fields)
    row = _new_image(principal, file, fields)
    created = await _insert(session, row)
    query = select(Image).where(Image.tenant == row.tenant, Image.original == row.original).with_for_update()
    image = (await session.scalars(query)).one()
    if created:
        await _complete(session, principal, origin, image, fields)
        await index_image(session, image)
        # the bytes may be those of an image that was deleted for good
        await refresh_refusals(session, principal.tenant, [image.original])
    else:
        await add_upload(session, principal, origin, image, fields)
        if file.status is not ImageStatus.PROCESSING:
            await apply_answer(session, principal, origin, image, file.signature)
    if file.status is ImageStatus.PROCESSING:
        await enqueue_scan(session, principal, image)
    return RecordedUpload(image, created)


async def record_known(
    session: AsyncSession, principal: Principal, origin: Origin, original: Digest, fields: UploadFields
) -> RecordedUpload | None:
    """Do what an upload of bytes that are here already does, without the bytes; None if no image stands on them."""
    query = select(Image).where(Image.tenant == principal.tenant, Image.original == original).with_for_update()
    image = (await session.scalars(query)).one_or_none()
    if image is None:
        return None
    await check_collection(session, principal, fields.collection)
    await add_upload(session, principal, origin, image, fields)
    return RecordedUpload(image, created=False)


async def _complete(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, fields: UploadFields
) -> None:
    """Write what belongs to a new image."""
    session.add(
        ImageVersion(
            image=image.id,
            number=1,
            tenant=image.tenant,
            original=image.original,
            file_name=image.file_name,
            media_type=image.media_type,
            size_bytes=image.size_bytes,
            width=image.width,
            height=image.height,
            created_by=image.created_by,
        )
    )
    await session.flush()
    await images.add_tags(session, image, fields.description.tags)
    await record(
        session,
        principal,
        origin,
        CREATED,
        ("image", image.id),
        after={
            "original": image.original,
            "file_name": image.file_name,
            "media_type": image.media_type,
            "size_bytes": image.size_bytes,
            "tags": sorted(fields.description.tags),
        }
        | ({} if image.reason is None else {"status": image.status, "reason": image.reason}),
    )
    if fields.entity is not None:
        await link_image(session, principal, origin, image.id, fields.entity, primary=fields.primary)
    if image.status == ImageStatus.READY.value:
        await enqueue_pipeline(session, principal, image)


async def add_upload(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, fields: UploadFields
) -> None:
    """Add tags and the link of an upload to an image that was here already; nothing else changes."""
    before = (await images.describe(session, image)).tags
    after = sorted({*before, *fields.description.tags})
    if len(after) > MAX_TAGS:
        raise ResourceConflict(f"The image is here already and would have {len(after)} tags; the limit is {MAX_TAGS}.")
    if after != sorted(before):
        await images.add_tags(session, image, fields.description.tags)
        await index_image(session, image)
        subject = ("image", image.id)
        await record(session, principal, origin, UPDATED, subject, before={"tags": list(before)}, after={"tags": after})
    order = None if fields.entity is None else await images_of(session, principal.tenant, fields.entity)
    linked = order is None
    if fields.entity is not None and order is not None:
        linked = order == await link_image(session, principal, origin, image.id, fields.entity, primary=fields.primary)
    if after != sorted(before) or not linked:
        images.touch(image)
        await session.flush()


async def check_collection(session: AsyncSession, principal: Principal, identifier: str | None) -> None:
    """Raise ValidationFailed if the tenant has no collection of that id; None is none."""
    if identifier is None:
        return
    row = await session.get(Collection, identifier)
    if row is None or row.tenant != principal.tenant:
        raise ValidationFailed([FieldError("/collection", "unknown-collection", "There is no such collection.")])


async def record_file(session: AsyncSession, principal: Principal, file: AcceptedFile) -> None:
    """Write the record of an original, or complete one that a render wrote; values of an earlier upload stay.

    The row is locked from here on, and its bytes are stored: until now they may have been deleted for good.
    """
    row = original_row(principal.tenant, file.original, file.examination.facts)
    row.size_bytes = file.size_bytes
    row.file_name = None if file.file_name is None else display_name(file.file_name)
    statement = insert(session, Original)
    columns, excluded = statement.table.c, statement.excluded
    first = {name: func.coalesce(columns[name], excluded[name]) for name in ("size_bytes", "file_name")}
    upsert = statement.on_conflict_do_update(index_elements=["tenant", "sha256"], set_=first)
    await session.execute(upsert, row.model_dump())
    await file.ensure_stored()


def display_name(file_name: str) -> str:
    """Return the last part of a file name without control characters, at most 255 characters long."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)[:FILE_NAME_LENGTH]


async def _with_focus_of_original(
    session: AsyncSession, principal: Principal, file: AcceptedFile, fields: UploadFields
) -> UploadFields:
    """Return the fields with the focal point that the original had before there was an image, unless they have one."""
    row = await session.get(Original, (principal.tenant, file.original))
    point = None if row is None else point_of_original(row)
    if point is None or fields.description.focus != (CENTRE, CENTRE):
        return fields
    focus = (float(point.focus.x), float(point.focus.y))
    return replace(fields, description=replace(fields.description, focus=focus))


async def _insert(session: AsyncSession, row: Image) -> bool:
    """Insert an image; return False if the tenant has one with these bytes. Waits for another that is inserting it."""
    values = {name: value for name, value in row.model_dump().items() if value is not None}
    values["metadata"] = values.pop("custom")
    statement = insert(session, Image).values(values).on_conflict_do_nothing(index_elements=["tenant", "original"])
    inserted: Any = await session.execute(statement)
    return bool(inserted.rowcount)


def _new_image(principal: Principal, file: AcceptedFile, fields: UploadFields) -> Image:
    description, focus = fields.description, fields.description.focus
    details = file.examination.details
    x, y = (None, None) if focus == (CENTRE, CENTRE) else focus
    return Image(
        id=new_uuid(),
        tenant=principal.tenant,
        original=file.original,
        status=file.status.value,
        reason=file.reason,
        file_name=None if file.file_name is None else display_name(file.file_name),
        title=description.title or (None if details is None else details.title),
        alt_text=description.alt_text,
        caption=description.caption,
        custom=dict(description.metadata),
        collection=fields.collection,
        focus_x=x,
        focus_y=y,
        size_bytes=file.size_bytes,
        created_by=principal.subject,
        failed_parts=list(file.examination.failed),
        **fact_columns(file.examination),
        **examined_columns(file.examination, keep_location=file.keep_location),
    )
