"""Images as they are answered."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.conditions import etag_of
from catalog.api.context import ApiContext
from catalog.api.fields import Focus
from catalog.images import service
from catalog.images.focal_points import point_of_image
from catalog.images.schemas import ImageView, LinkView, LocationView, OptimizedView, Placeholder, QualityView
from catalog.images.service import ImageParts, focus_of
from catalog.images.url_builder import build_url, read_path, seal_path
from catalog.presets.service import DEFAULTS
from catalog.records.image import Image
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant

PREVIEW = "preview"
"""The preset of `url`; a tenant without it gets the recipe that new tenants have under this name."""
_COLUMNS: Final = (
    "id",
    "original",
    "file_name",
    "title",
    "alt_text",
    "caption",
    "media_type",
    "size_bytes",
    "width",
    "height",
    "frames",
    "has_alpha",
    "taken_at",
    "camera",
    "status",
    "reason",
    "failed_parts",
    "colors",
    "phash",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "trashed_at",
)


class ImageViews:
    """Makes answers about a tenant's images; the keys that sign their URLs are read once, before any transaction."""

    def __init__(self, base_url: str, signer: Tenant) -> None:
        self._base_url = base_url
        self._signer = signer

    @classmethod
    async def open(cls, context: ApiContext, tenant: TenantName) -> "ImageViews":
        """Read what signing needs."""
        return cls(context.base_url, await context.platform.signers.find(tenant))

    async def view(self, session: AsyncSession, image: Image, *, duplicate: bool = False) -> ImageView:
        """Return one image with its parts."""
        parts = await service.parts_of(session, self._signer.name, [image.id])
        return self._view(image, parts[image.id], duplicate=duplicate)

    async def views(self, session: AsyncSession, images: Sequence[Image]) -> list[ImageView]:
        """Return images with their parts."""
        parts = await service.parts_of(session, self._signer.name, [image.id for image in images])
        return [self._view(image, parts[image.id]) for image in images]

    def complete(self, image: Image, parts: ImageParts) -> ImageView:
        """Return an image whose parts were read with it."""
        return self._view(image, parts)

    def _view(self, image: Image, parts: ImageParts, *, duplicate: bool = False) -> ImageView:
        x, y = focus_of(image)
        return ImageView(
            **{name: getattr(image, name) for name in _COLUMNS},
            tags=list(parts.tags),
            metadata=image.custom,
            location=None if image.location is None else LocationView(**image.location),
            focus=Focus(x=x, y=y),
            placeholder=Placeholder(thumbhash=image.thumbhash, color=image.color),
            quality=_quality(image),
            optimized=self._optimized(image),
            entities=[
                LinkView(type=link.type, id=link.entity, position=link.position, primary=link.is_primary)
                for link in parts.links
            ],
            url=self._url(image),
            duplicate=True if duplicate else None,
        )

    def _optimized(self, image: Image) -> OptimizedView | None:
        if image.optimized is None:
            return None
        recipe, size_bytes = image.optimized["recipe"], int(image.optimized["size_bytes"])
        url = None
        if recipe is not None and self._signer.keys:
            url = seal_path(self._base_url, self._signer, f"/t/{image.tenant}/{image.original}/{recipe}")
        ratio = round(size_bytes / image.size_bytes, 3) if image.size_bytes else 1.0
        return OptimizedView(media_type=image.optimized["media_type"], size_bytes=size_bytes, ratio=ratio, url=url)

    def _url(self, image: Image) -> str | None:
        if not self._signer.keys:
            return None
        path, point = f"/t/{image.tenant}/{image.original}/{preview_recipe(self._signer)}", point_of_image(image)
        if point is None:
            return seal_path(self._base_url, self._signer, path)
        return build_url(self._base_url, self._signer, read_path(path), point)


def preview_recipe(tenant: Tenant) -> str:
    """Return the recipe of an image's `url`."""
    return f"~{PREVIEW}" if PREVIEW in tenant.presets else DEFAULTS[PREVIEW]


def image_etag(image: Image) -> str:
    """Return the entity tag of an image."""
    return etag_of(image.id, image.version)


def _quality(image: Image) -> QualityView | None:
    if image.quality is None or image.quality_score is None:
        return None
    names = ("sharpness", "exposure", "contrast", "resolution")
    return QualityView(score=image.quality_score, **{name: image.quality[name] for name in names})
