"""Versions of an image: its bytes are replaced, and all that is said about it stays.

Identity, links, tags, texts and the focal point belong to the image; sizes, colours, hash and quality belong to the
bytes and are those of the version that it stands on. URLs name the bytes, so those that were signed before still show
the version that they were signed for.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.audit.service import record
from catalog.core.api_errors import ResourceConflict, ResourceNotFound, UploadRefused
from catalog.core.errors import ScannerUnavailable
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.images.service import check_served, find_by_original, touch
from catalog.pipeline.examined import examined_columns, fact_columns
from catalog.pipeline.service import enqueue_pipeline
from catalog.records.image import Image, ImageVersion
from catalog.records.refusals import refresh_refusals
from catalog.search.indexing import index_image
from catalog.uploads.intake import AcceptedFile
from catalog.uploads.recording import display_name, record_file
from proxy.core.identifiers import Digest, TenantName

MAX_VERSIONS = 100
"""Versions that are kept of one image; the oldest one that it does not stand on goes."""
LARGEST_NUMBER = 2**31 - 1


async def list_versions(session: AsyncSession, image: Image) -> Sequence[ImageVersion]:
    """Return the versions of an image, the newest first."""
    query = select(ImageVersion).where(ImageVersion.tenant == image.tenant, ImageVersion.image == image.id)
    return (await session.scalars(query.order_by(col(ImageVersion.number).desc()))).all()


async def find_version(session: AsyncSession, image: Image, number: int) -> ImageVersion:
    """Return one version of an image. Raise ResourceNotFound."""
    row = await session.get(ImageVersion, (image.id, number)) if 0 < number <= LARGEST_NUMBER else None
    if row is None or row.tenant != image.tenant:
        raise ResourceNotFound("The image has no such version: GET …/versions lists them.")
    return row


async def replace_bytes(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, file: AcceptedFile
) -> bool:
    """Make an accepted file the next version of an image that the caller has locked; return False for its own bytes.

    Raise ResourceConflict if the image is not served, or if another image stands on these bytes.
    """
    check_served(image)
    _check_scanned(file)
    if file.original == image.original:
        return False
    await _check_free(session, image, file.original)
    await record_file(session, principal, file)
    before = _audited(image)
    image.number = await _next_number(session, image)
    image.file_name = image.file_name if file.file_name is None else display_name(file.file_name)
    await _stand_on(session, principal, image, file)
    session.add(_version_of(image, principal))
    await session.flush()
    await _drop_oldest(session, image)
    # the bytes may be those of an image that was deleted for good
    await refresh_refusals(session, principal.tenant, [file.original])
    await record(
        session, principal, origin, "image.replaced", ("image", image.id), before=before, after=_audited(image)
    )
    return True


async def restore_version(  # noqa: PLR0913, PLR0917 - what is restored, and by whom
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    image: Image,
    version: ImageVersion,
    file: AcceptedFile,
) -> bool:
    """Let an image that the caller has locked stand on a version's bytes again; return False if it does already.

    `file` is the examined original of the version. Raise ResourceConflict as `replace_bytes` does.
    """
    check_served(image)
    if image.number == version.number:
        return False
    await _check_free(session, image, file.original)
    before = _audited(image)
    image.number, image.file_name = version.number, version.file_name
    await _stand_on(session, principal, image, file)
    await record(
        session, principal, origin, "image.version-restored", ("image", image.id), before=before, after=_audited(image)
    )
    return True


async def _stand_on(session: AsyncSession, principal: Principal, image: Image, file: AcceptedFile) -> None:
    """Renew all that the bytes tell. Raise ResourceConflict if another image has got them in this very moment."""
    columns: dict[str, Any] = {
        "original": file.original,
        "size_bytes": file.size_bytes,
        "failed_parts": list(file.examination.failed),
        **fact_columns(file.examination),
        **examined_columns(file.examination, keep_location=file.keep_location),
    }
    for name, value in columns.items():
        setattr(image, name, value)
    image.status, image.reason = ImageStatus.READY.value, None
    touch(image)
    try:
        async with session.begin_nested():
            await index_image(session, image)
    except IntegrityError:
        raise ResourceConflict("Another image has got these bytes meanwhile: find it by their hash.") from None
    await enqueue_pipeline(session, principal, image)


def _check_scanned(file: AcceptedFile) -> None:
    """Raise UploadRefused for an infected file, and ScannerUnavailable: an image is not withdrawn to wait for it."""
    if file.status is ImageStatus.QUARANTINED:
        raise UploadRefused("infected", f"The scanner found {file.signature}: the file is refused.")
    if file.status is not ImageStatus.READY:
        raise ScannerUnavailable("The scanner does not answer: replace the file later.")


async def _check_free(session: AsyncSession, image: Image, original: Digest) -> None:
    """Raise ResourceConflict if another image stands on these bytes."""
    other = await find_by_original(session, TenantName(image.tenant), original)
    if other is not None and other.id != image.id:
        raise ResourceConflict(f"Image {other.id} has these bytes: use that one, or delete it for good first.")


async def _next_number(session: AsyncSession, image: Image) -> int:
    """Return a number that no version of the image has had; the newest version is always kept."""
    query = select(func.max(ImageVersion.number)).where(ImageVersion.image == image.id)
    return max((await session.scalars(query)).one() or 0, image.number) + 1


async def _drop_oldest(session: AsyncSession, image: Image) -> None:
    kept = select(ImageVersion.number).where(ImageVersion.image == image.id)
    kept = kept.order_by(col(ImageVersion.number).desc()).limit(MAX_VERSIONS)
    numbers = (await session.scalars(kept)).all()
    if len(numbers) == MAX_VERSIONS:
        old = col(ImageVersion.number) < numbers[-1]
        await session.execute(delete(ImageVersion).where(col(ImageVersion.image) == image.id, old))


def _version_of(image: Image, principal: Principal) -> ImageVersion:
    return ImageVersion(
        image=image.id,
        number=image.number,
        tenant=image.tenant,
        original=image.original,
        file_name=image.file_name,
        media_type=image.media_type,
        size_bytes=image.size_bytes,
        width=image.width,
        height=image.height,
        created_by=principal.subject,
    )


def _audited(image: Image) -> dict[str, Any]:
    names = ("original", "number", "file_name", "media_type", "size_bytes")
    return {name: getattr(image, name) for name in names}
