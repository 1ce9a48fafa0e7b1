"""Scanning: what the scanner's answer does to an image.

    answer     image that waits for it    ready          quarantined
    clean      ready                      –              ready
    infected   quarantined                quarantined    –

An image that is in the trash meanwhile keeps its place there; the answer decides what it is restored to. Only bytes
that were uploaded again get a clean answer after an infected one: they are never stored while they are quarantined.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from catalog.audit.service import record
from catalog.core.image_status import ImageStatus
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.images.service import touch
from catalog.jobs.enqueue import Owner, enqueue
from catalog.pipeline.service import enqueue_pipeline
from catalog.records.image import Image
from catalog.records.refusals import lock_originals, refresh_refusals
from proxy.core.identifiers import Digest, TenantName

KIND: Final = "image.scan"
ATTEMPTS: Final = 2_000
"""With pauses of at most 15 minutes, a scanner may be out for twenty days."""
AWAITING_SCAN: Final = "The scanner does not answer: the image is scanned, and then ready, as soon as it does."
"""The reason of an image that waits for the scanner, in state `processing`."""


async def enqueue_scan(session: AsyncSession, owner: Owner, image: Image) -> None:
    """Queue the scan of an image's bytes, which are in the quarantine; one job is enough for each image."""
    parameters, key = {"original": image.original}, f"{KIND}:{image.id}"
    priority = Priority.PIPELINE
    await enqueue(session, owner, KIND, parameters, priority, image=image.id, dedupe_key=key, max_attempts=ATTEMPTS)


async def lock_scanned(session: AsyncSession, tenant: TenantName, identifier: str, original: Digest) -> Image | None:
    """Return the image, locked after its original, if it still stands on these bytes; None otherwise."""
    await lock_originals(session, tenant, [original])
    query = select(Image).where(Image.id == identifier, Image.tenant == tenant, Image.original == original)
    return (await session.scalars(query.with_for_update())).one_or_none()


async def apply_answer(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, signature: str | None
) -> None:
    """Change an image, locked after its original, as the scanner's answer wants it; None is clean."""
    trashed = image.status == ImageStatus.TRASHED.value
    before = ImageStatus(image.trashed_from or ImageStatus.READY.value) if trashed else ImageStatus(image.status)
    after = _state_after(before, waits=image.reason == AWAITING_SCAN, infected=signature is not None)
    if after is None:
        return
    if trashed:
        image.trashed_from = after.value
    else:
        image.status = after.value
    image.reason = signature
    touch(image)
    await refresh_refusals(session, principal.tenant, [image.original])
    if signature is None and not trashed:
        await enqueue_pipeline(session, principal, image)
    action = "image.released" if signature is None else "image.quarantined"
    states = {"status": before.value}, {"status": after.value, "reason": signature}
    await record(session, principal, origin, action, ("image", image.id), before=states[0], after=states[1])


def _state_after(before: ImageStatus, *, waits: bool, infected: bool) -> ImageStatus | None:
    """Return the state that an answer leads to, or None if it changes nothing."""
    if infected:
        return ImageStatus.QUARANTINED if before in {ImageStatus.PROCESSING, ImageStatus.READY} else None
    released = before is ImageStatus.QUARANTINED or (before is ImageStatus.PROCESSING and waits)
    return ImageStatus.READY if released else None
