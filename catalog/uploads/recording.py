"""Recording: an accepted file becomes an image, in one transaction.

Within a tenant the same bytes are one image. Of two uploads of the same bytes at once, the second waits for the first
one's row and then finds the image.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.audit.service import record
from catalog.core.api_errors import FieldError, ResourceConflict, ValidationFailed
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.entities.service import EntityRef, images_of, link_image
from catalog.images import service as images
from catalog.images.service import CENTRE, Description
from catalog.records.collection import Collection
from catalog.records.image import MAX_TAGS, Image, ImageVersion
from catalog.records.render_records import insert, original_row
from catalog.records.uuid7 import new_uuid
from catalog.uploads.intake import AcceptedFile
from catalog.uploads.service import display_name, record_original
from proxy.core.identifiers import Digest
from proxy.core.media.examination import Examination
from proxy.core.media.perceptual_hash import bands

CREATED: Final = "image.created"
UPDATED: Final = "image.updated"


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
    await _record_original(session, principal, file)
    row = _new_image(principal, file, fields)
    created = await _insert(session, row)
    query = select(Image).where(Image.tenant == row.tenant, Image.original == row.original).with_for_update()
    image = (await session.scalars(query)).one()
    if created:
        await _complete(session, principal, origin, image, fields)
    else:
        await _add(session, principal, origin, image, fields)
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
    await _add(session, principal, origin, image, fields)
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
        },
    )
    if fields.entity is not None:
        await link_image(session, principal, origin, image.id, fields.entity, primary=fields.primary)


async def _add(session: AsyncSession, principal: Principal, origin: Origin, image: Image, fields: UploadFields) -> None:
    """Add tags and the link of an upload to an image that was here already; nothing else changes."""
    before = (await images.describe(session, image)).tags
    after = sorted({*before, *fields.description.tags})
    if len(after) > MAX_TAGS:
        raise ResourceConflict(f"The image is here already and would have {len(after)} tags; the limit is {MAX_TAGS}.")
    if after != sorted(before):
        await images.add_tags(session, image, fields.description.tags)
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


async def _record_original(session: AsyncSession, principal: Principal, file: AcceptedFile) -> None:
    row = original_row(principal.tenant, file.original, file.examination.facts)
    row.size_bytes = file.size_bytes
    row.file_name = None if file.file_name is None else display_name(file.file_name)
    await record_original(session, row)


async def _insert(session: AsyncSession, row: Image) -> bool:
    """Insert an image; return False if the tenant has one with these bytes. Waits for another that is inserting it."""
    values = {name: value for name, value in row.model_dump().items() if value is not None}
    values["metadata"] = values.pop("custom")
    statement = insert(session, Image).values(values).on_conflict_do_nothing(index_elements=["tenant", "original"])
    inserted: Any = await session.execute(statement)
    return bool(inserted.rowcount)


def _new_image(principal: Principal, file: AcceptedFile, fields: UploadFields) -> Image:
    facts, description = file.examination.facts, fields.description
    size, focus = facts.upright, description.focus
    x, y = (None, None) if focus == (CENTRE, CENTRE) else focus
    return Image(
        id=new_uuid(),
        tenant=principal.tenant,
        original=file.original,
        status=ImageStatus.READY.value,
        file_name=None if file.file_name is None else display_name(file.file_name),
        title=description.title,
        alt_text=description.alt_text,
        caption=description.caption,
        custom=dict(description.metadata),
        collection=fields.collection,
        focus_x=x,
        focus_y=y,
        media_type=facts.format.media_type,
        size_bytes=file.size_bytes,
        width=size.width,
        height=size.height,
        frames=facts.frames,
        has_alpha=facts.alpha,
        orientation=facts.orientation,
        created_by=principal.subject,
        **_examined(file.examination, keep_location=file.keep_location),
    )


def _examined(examination: Examination, *, keep_location: bool) -> dict[str, Any]:
    """Return the columns that only the pixels and the metadata tell."""
    values: dict[str, Any] = {
        "thumbhash": examination.thumbhash,
        "color": examination.color,
        "colors": list(examination.colors),
        "failed_parts": list(examination.failed),
    }
    if (details := examination.details) is not None:
        values |= {"camera": details.camera, "copyright": details.copyright}
        values["taken_at"] = None if details.taken_at is None else datetime.fromisoformat(details.taken_at)
        if keep_location and details.latitude is not None and details.longitude is not None:
            values["location"] = {"latitude": details.latitude, "longitude": details.longitude}
    if examination.phash is not None:
        first, second, third, fourth = bands(examination.phash)
        values |= {"phash": examination.phash, "phash_0": first, "phash_1": second}
        values |= {"phash_2": third, "phash_3": fourth}
    if (quality := examination.quality) is not None:
        names = ("sharpness", "exposure", "contrast", "resolution", "noise")
        values["quality"] = {name: getattr(quality, name) for name in names}
        values["quality_score"] = quality.score
    return values
