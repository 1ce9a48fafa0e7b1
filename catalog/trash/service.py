"""Trash: an image is withdrawn and comes back, its originals refused and permitted in the same transaction.

Locks are taken in one order everywhere: originals, then the image, then entities.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.audit.service import record
from catalog.caches.service import enqueue_purge
from catalog.core.api_errors import ImageInUse, ResourceConflict
from catalog.core.image_status import ImageStatus, may_become
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.entities.service import entities_of, unlink_everywhere
from catalog.images.service import check_ownership, find_image, touch
from catalog.records.base import now
from catalog.records.image import Image
from catalog.records.refusals import lock_originals, originals_of, refresh_refusals


async def lock_image(session: AsyncSession, principal: Principal, identifier: str) -> Image:
    """Return an image that the principal may change, locked with the originals that it stands on and stood on.

    Raise ResourceNotFound, NotPermitted, and ResourceConflict where it is being replaced at this moment.
    """
    originals = await originals_of(session, principal.tenant, identifier)
    await lock_originals(session, principal.tenant, originals)
    image = await find_image(session, principal.tenant, identifier, lock=True)
    check_ownership(principal, image)
    if originals != await originals_of(session, principal.tenant, image.id):
        raise ResourceConflict("The image is being replaced at this moment: try again.")
    return image


async def trash_image(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, *, force: bool = False
) -> None:
    """Put a locked image into the trash; one that is there already stays.

    With `force` it is unlinked from the entities that use it. Raise ImageInUse without, and ResourceConflict for an
    image whose bytes have not come yet.
    """
    before = ImageStatus(image.status)
    if before is ImageStatus.TRASHED:
        return
    if not may_become(before, ImageStatus.TRASHED):
        raise ResourceConflict(f"The image is {before.value}: wait until it is ready, then delete it.")
    await release(session, principal, origin, image, force=force)
    image.status, image.trashed_from, image.trashed_at = ImageStatus.TRASHED.value, before.value, now()
    touch(image)
    originals = await originals_of(session, principal.tenant, image.id)
    await refresh_refusals(session, principal.tenant, originals)
    await enqueue_purge(session, principal, sorted(originals), Priority.PIPELINE, image=image.id)
    await record(
        session,
        principal,
        origin,
        "image.trashed",
        ("image", image.id),
        before={"status": before.value},
        after={"status": image.status},
    )


async def restore_image(session: AsyncSession, principal: Principal, origin: Origin, image: Image) -> None:
    """Take a locked image out of the trash, to the status it had before; one that is not there stays as it is."""
    if image.status != ImageStatus.TRASHED.value:
        return
    before = ImageStatus(image.trashed_from or ImageStatus.READY.value)
    after = before if may_become(ImageStatus.TRASHED, before) else ImageStatus.READY
    image.status, image.trashed_from, image.trashed_at = after.value, None, None
    touch(image)
    await refresh_refusals(session, principal.tenant, await originals_of(session, principal.tenant, image.id))
    await record(
        session,
        principal,
        origin,
        "image.restored",
        ("image", image.id),
        before={"status": ImageStatus.TRASHED.value},
        after={"status": image.status},
    )


async def release(session: AsyncSession, principal: Principal, origin: Origin, image: Image, *, force: bool) -> None:
    """Unlink an image from all entities. Raise ImageInUse if there are any and it is not forced."""
    entities = await entities_of(session, principal.tenant, image.id)
    if entities and not force:
        raise ImageInUse([(entity.type, entity.id) for entity in entities])
    if entities:
        await unlink_everywhere(session, principal, origin, image.id)
