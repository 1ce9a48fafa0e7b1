"""Images: reading them, and changing what is said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import NotPermitted, ResourceConflict, ResourceNotFound
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.base import now
from catalog.records.entity import EntityLink
from catalog.records.image import Image, ImageTag
from catalog.records.render_records import insert_missing
from catalog.records.uuid7 import is_uuid7
from proxy.core.identifiers import Digest, TenantName

CENTRE = 0.5
"""Where the focal point is, across and down, if none is set."""


@dataclass(frozen=True, slots=True)
class ImageParts:
    """What belongs to an image and has rows of its own."""

    tags: tuple[str, ...] = ()
    links: tuple[EntityLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What people say about an image: all that a change of its metadata can change."""

    title: str | None = None
    alt_text: str = ""
    caption: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    focus: tuple[float, float] = (CENTRE, CENTRE)


async def find_image(session: AsyncSession, tenant: TenantName, identifier: str, *, lock: bool = False) -> Image:
    """Return one of a tenant's images, locked for a change if need be. Raise ResourceNotFound if there is none."""
    row = None
    if is_uuid7(identifier):
        query = select(Image).where(Image.id == identifier, Image.tenant == tenant)
        row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise ResourceNotFound("There is no such image.")
    return row


async def find_by_original(
    session: AsyncSession, tenant: TenantName, original: Digest, *, lock: bool = False
) -> Image | None:
    """Return the tenant's image that stands on these bytes, locked for a change if need be, or None."""
    query = select(Image).where(Image.tenant == tenant, Image.original == original)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def list_images(
    session: AsyncSession, tenant: TenantName, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[Image]:
    """Return a tenant's images that are not in the trash, the newest first, behind the position `after`."""
    query = (
        select(Image)
        .where(Image.tenant == tenant, Image.status != ImageStatus.TRASHED.value)
        .order_by(col(Image.created_at).desc(), col(Image.id).desc())
    )
    if after is not None:
        query = query.where(tuple_(col(Image.created_at), col(Image.id)) < tuple_(*after))
    return (await session.scalars(query.limit(limit))).all()


async def parts_of(session: AsyncSession, tenant: TenantName, images: Sequence[str]) -> dict[str, ImageParts]:
    """Return tags and links of images by their ids; tags in the order of the alphabet, links in that of entities."""
    tags: dict[str, list[str]] = {image: [] for image in images}
    links: dict[str, list[EntityLink]] = {image: [] for image in images}
    tag_rows = select(ImageTag).where(ImageTag.tenant == tenant, col(ImageTag.image).in_(images))
    for tag in await session.scalars(tag_rows):
        tags[tag.image].append(tag.tag)
    link_rows = select(EntityLink).where(EntityLink.tenant == tenant, col(EntityLink.image).in_(images))
    for link in await session.scalars(link_rows):
        links[link.image].append(link)
    return {
        image: ImageParts(
            tuple(sorted(tags[image])), tuple(sorted(links[image], key=lambda link: (link.type, link.entity)))
        )
        for image in images
    }


async def describe(session: AsyncSession, image: Image) -> Description:
    """Return what is said about an image."""
    parts = (await parts_of(session, TenantName(image.tenant), [image.id]))[image.id]
    return Description(image.title, image.alt_text, image.caption, parts.tags, image.custom, focus_of(image))


def focus_of(image: Image) -> tuple[float, float]:
    """Return the focal point of an image; the centre if none is set."""
    return (
        CENTRE if image.focus_x is None else image.focus_x,
        CENTRE if image.focus_y is None else image.focus_y,
    )


def check_ownership(principal: Principal, image: Image) -> None:
    """Raise NotPermitted unless the principal may change the image."""
    if not principal.may_change(image.created_by):
        raise NotPermitted("A contributor may change only their own uploads: ask an editor.")


async def change_description(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, description: Description
) -> None:
    """Replace what is said about an image that the caller has locked; without a difference nothing is written.

    Raise NotPermitted, and ResourceConflict for an image in the trash.
    """
    check_ownership(principal, image)
    if image.status == ImageStatus.TRASHED.value:
        raise ResourceConflict("The image is in the trash: restore it first.")
    before = await describe(session, image)
    after = _sorted(description)
    if before == after:
        return
    await _replace_tags(session, image, before.tags, after.tags)
    image.title, image.alt_text, image.caption = after.title, after.alt_text, after.caption
    image.custom = dict(after.metadata)
    image.focus_x, image.focus_y = (None, None) if after.focus == (CENTRE, CENTRE) else after.focus
    touch(image)
    await session.flush()
    changed = [name for name in Description.__slots__ if getattr(before, name) != getattr(after, name)]
    await record(
        session,
        principal,
        origin,
        "image.updated",
        ("image", image.id),
        before=_audited(before, changed),
        after=_audited(after, changed),
    )


async def add_tags(session: AsyncSession, image: Image, tags: Sequence[str]) -> None:
    """Add tags to an image; those that it has already stay."""
    if tags:
        rows = [ImageTag(tenant=image.tenant, tag=tag, image=image.id) for tag in sorted(set(tags))]
        await insert_missing(session, ImageTag, rows)


def touch(image: Image) -> None:
    """Count a change of the record."""
    image.version += 1
    image.updated_at = now()


async def _replace_tags(session: AsyncSession, image: Image, before: Sequence[str], after: Sequence[str]) -> None:
    gone = set(before) - set(after)
    if gone:
        await session.execute(delete(ImageTag).where(col(ImageTag.image) == image.id, col(ImageTag.tag).in_(gone)))
    await add_tags(session, image, sorted(set(after) - set(before)))


def _sorted(description: Description) -> Description:
    return Description(
        description.title,
        description.alt_text,
        description.caption,
        tuple(sorted(set(description.tags))),
        description.metadata,
        description.focus,
    )


def _audited(description: Description, names: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(description, name) for name in names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
