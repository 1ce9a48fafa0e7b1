"""Signing many paths at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.api_errors import FieldError, ResourceConflict, ValidationFailed
from catalog.core.focus_geometry import FocalPoint
from catalog.images.focal_points import point_of_image, point_of_original
from catalog.images.service import check_served
from catalog.images.url_builder import build_url, read_path
from catalog.records.image import Image
from catalog.records.original import Original
from proxy.core.errors import DarkroomError, RecipeError
from proxy.core.identifiers import Digest, TenantName
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link

MAX_ERRORS = 50


@dataclass(frozen=True, slots=True)
class KnownOriginals:
    """What is known of originals: their focal points, and why URLs of some would not be answered."""

    points: Mapping[str, FocalPoint] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)


async def find_originals(session: AsyncSession, tenant: TenantName, digests: Sequence[Digest]) -> KnownOriginals:
    """Return what is known of a tenant's originals: by their images, and by themselves where there is none."""
    points: dict[str, FocalPoint] = {}
    unserved: dict[str, str] = {}
    originals = set(digests)
    for image in await session.scalars(select(Image).where(Image.tenant == tenant, col(Image.original).in_(originals))):
        originals.discard(Digest(image.original))
        if (point := point_of_image(image)) is not None:
            points[image.original] = point
        try:
            check_served(image)
        except ResourceConflict as error:
            unserved[image.original] = error.detail
    bare = select(Original).where(Original.tenant == tenant, col(Original.sha256).in_(originals))
    for row in await session.scalars(bare):
        if (point := point_of_original(row)) is not None:
            points[row.sha256] = point
    return KnownOriginals(points, unserved)


def read_paths(tenant: TenantName, paths: Sequence[str], expires: int | None) -> list[Link]:
    """Parse paths, which expire at a Unix time if one is given. Raise ValidationFailed, which names the bad ones."""
    links: list[Link] = []
    errors: list[FieldError] = []
    for place, path in enumerate(paths):
        try:
            link = read_path(path, expires)
        except DarkroomError as error:
            errors.append(_fault(place, error))
            continue
        if link.tenant != tenant:
            detail = f"The path is of another tenant: it has to begin with /t/{tenant}/."
            errors.append(FieldError(f"/paths/{place}", "foreign-tenant", detail))
        links.append(link)
    if errors:
        raise ValidationFailed(errors[:MAX_ERRORS])
    return links


def sign_links(base_url: str, tenant: Tenant, links: Sequence[Link], known: KnownOriginals) -> list[str]:
    """Return signed URLs, in order. Raise ValidationFailed, which names the links that cannot be signed."""
    urls: list[str] = []
    errors: list[FieldError] = []
    for place, link in enumerate(links):
        if link.original in known.unserved:
            errors.append(FieldError(f"/paths/{place}", "not-served", known.unserved[link.original]))
            continue
        try:
            urls.append(build_url(base_url, tenant, link, known.points.get(link.original)))
        except DarkroomError as error:
            errors.append(_fault(place, error))
    if errors:
        raise ValidationFailed(errors[:MAX_ERRORS])
    return urls


def _fault(place: int, error: DarkroomError) -> FieldError:
    """Return the error of one path; a fault of its recipe is underlined."""
    detail = f"{error.detail}\n{error.underlined}" if isinstance(error, RecipeError) else error.detail
    return FieldError(f"/paths/{place}", error.code, detail)
