"""URLs of one image: recipes planned and signed under its tenant's rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.api.context import ApiContext
from catalog.core.responsive import Candidate, RenditionPlanner
from catalog.images.focal_points import point_of_image
from catalog.images.url_builder import build_url, read_path, with_focal_point
from catalog.records.image import Image
from catalog.records.tenant_lock import tenant_not_found
from catalog.tenants.tenant_repository import SqlTenantRepository
from proxy.core.geometry import Size, upright
from proxy.core.identifiers import TenantName
from proxy.core.media.facts import Facts
from proxy.core.media.formats import FORMATS, writable
from proxy.core.planning.planner import Capabilities
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link

_FORMATS = {known.media_type: known for known in FORMATS.values()}


@dataclass(frozen=True, slots=True)
class ImageUrls:
    """Plans and signs URLs of one image."""

    base_url: str
    tenant: Tenant
    image: Image
    planner: RenditionPlanner

    def link(self, recipe: Recipe) -> Link:
        """Return the unsigned link of a recipe, with the image's focal point in it. Raise RecipeError."""
        return with_focal_point(self.tenant, self._path(recipe), point_of_image(self.image))

    def url(self, recipe: Recipe) -> str:
        """Return the signed URL of a recipe, with the image's focal point in it. Raise RecipeError."""
        return build_url(self.base_url, self.tenant, self._path(recipe), point_of_image(self.image))

    def srcset(self, candidates: Sequence[Candidate]) -> str | None:
        """Return the text of a `srcset`; None where there is nothing to choose from."""
        if len(candidates) < 2:  # noqa: PLR2004 - a choice
            return None
        return ", ".join(f"{self.url(found.rendition.recipe)} {found.descriptor}" for found in candidates)

    def _path(self, recipe: Recipe) -> Link:
        return read_path(f"/t/{self.tenant.name}/{self.image.original}/{recipe}")


async def find_tenant(context: ApiContext, name: TenantName) -> Tenant:
    """Return a tenant with its keys and presets, under the installation's limits. Raise TenantNotFound."""
    tenant = await SqlTenantRepository(context.database, context.limits).find(name)
    if tenant is None:
        raise tenant_not_found(name)
    return tenant


def capabilities_of(context: ApiContext) -> Capabilities:
    """Return what the installation can write and find."""
    settings = context.platform.settings
    return Capabilities(writable(settings.formats), settings.faces)


def urls_of(context: ApiContext, tenant: Tenant, image: Image) -> ImageUrls:
    """Return the URLs of an image."""
    return ImageUrls(
        context.base_url, tenant, image, RenditionPlanner(tenant, facts_of(image), capabilities_of(context))
    )


def facts_of(image: Image) -> Facts:
    """Return the facts that plans of an image begin with."""
    stored = upright(image.orientation).of_size(Size(image.width, image.height))
    image_format = _FORMATS[image.media_type]
    return Facts(image_format, stored.width, stored.height, image.orientation, image.frames, image.has_alpha)
