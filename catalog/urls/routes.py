"""Routes of URLs: thumbnails, redirects, responsive links, signatures."""

import asyncio
import time
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from catalog.api.conditions import MAX_LENGTH, is_not_modified
from catalog.api.context import ApiContext, Caller, Context
from catalog.api.openapi_parts import told
from catalog.api.rate_limits import RequestClass
from catalog.core.api_errors import FieldError, ResourceConflict, ValidationFailed
from catalog.core.roles import Principal
from catalog.images import service as images
from catalog.images.views import preview_recipe
from catalog.records.base import RECIPE_LENGTH
from catalog.records.image import Image
from catalog.urls.image_urls import ImageUrls, find_tenant, urls_of
from catalog.urls.recipe_access import check_any_recipe, read_recipe
from catalog.urls.responsive_image import describe_links
from catalog.urls.schemas import LinksView, SignedUrls, SignRequest, ThumbnailsView, ThumbnailView
from catalog.urls.service import find_originals, read_paths, sign_links
from proxy.core.errors import LimitExceeded
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import MOST_WIDTHS
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant

router = APIRouter(tags=["urls"])

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]
RecipeText = Annotated[
    str | None, Query(max_length=RECIPE_LENGTH, description="A preset as `~name`; editors, and tokens that sign, any.")
]
IfNoneMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="304 if the bytes have this tag.")]
ORIGINAL, OPTIMIZED = "original", "optimized"
_WIDEST = 8_192
_SERVED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes, for `inline=true`.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        **told("ETag", "Content-Disposition"),
    },
    302: {"description": "To the signed URL.", **told("Location")},
    304: {"description": "The bytes have the tag of `If-None-Match`."},
    409: {},
    415: {},
    504: {},
}


@router.get("/api/images/{id}/thumbnails", summary="List the presets of an image", responses={409: {}})
async def list_thumbnails(context: Context, caller: Caller, id: Id) -> ThumbnailsView:  # noqa: A002 - the contract's own name
    """Return URL, size and `srcset` of each of the tenant's presets; sizes are planned, nothing is rendered."""
    urls = await _open(context, caller, id)
    return await asyncio.to_thread(_thumbnails, urls)


@router.get(
    "/api/images/serve/{id}",
    summary="Get an image in one size",
    status_code=302,
    response_class=Response,
    responses=_SERVED,
)
async def serve_image(  # noqa: PLR0913, PLR0917 - what a request may say
    request: Request,
    context: Context,
    caller: Caller,
    id: Id,  # noqa: A002 - the contract's own name
    size: Annotated[
        str | None, Query(max_length=64, description="`original`, `optimized`, or the name of a preset.")
    ] = None,
    recipe: RecipeText = None,
    inline: Annotated[bool, Query(description="Answer with the bytes themselves.")] = False,  # noqa: FBT002 - a query's flag
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Redirect to the signed URL of a size or a recipe; `preview` where none is given."""
    if size is not None and recipe is not None:
        raise ValidationFailed([FieldError("?recipe", "ambiguous", "Send size or recipe, not both.")])
    urls = await _open(context, caller, id)
    wanted = _preview(urls) if size is None else _of_size(urls, size)
    if recipe is not None:
        wanted = read_recipe(caller, urls.tenant, recipe)
    if not inline:
        return RedirectResponse(urls.url(wanted), 302)
    request.state.rate_limit = await context.rate_limiter.count(caller, RequestClass.RENDER)
    return await _bytes(request, context, urls, wanted, if_none_match)


@router.get("/api/images/{id}/links", summary="Get the links of an image", responses={409: {}})
async def read_links(  # noqa: PLR0913, PLR0917 - what a request may say
    context: Context,
    caller: Caller,
    id: Id,  # noqa: A002 - the contract's own name
    recipe: RecipeText = None,
    widths: Annotated[
        str | None,
        Query(
            max_length=200, pattern=r"^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*$", description="Widths of `srcset`: 320,640."
        ),
    ] = None,
    sizes: Annotated[
        str | None, Query(max_length=500, pattern=r"^[\x20-\x7e]*$", description="The attribute `sizes`.")
    ] = None,
) -> LinksView:
    """Return a recipe as URL, `srcset`, `<img>` and `<picture>`, with alternative text and placeholder."""
    urls = await _open(context, caller, id)
    wanted = _preview(urls) if recipe is None else read_recipe(caller, urls.tenant, recipe)
    asked = _read_widths(caller, urls.tenant, wanted, widths)
    return await asyncio.to_thread(describe_links, urls, wanted, asked, sizes)


@router.post("/api/sign", summary="Sign paths")
async def sign_paths(context: Context, caller: Caller, body: SignRequest) -> SignedUrls:
    """Return the signed URLs of paths of the tenant, in order; focal points are written into cover crops."""
    tenant = await find_tenant(context, caller.tenant)
    expires = None if body.expires_s is None else int(time.time()) + body.expires_s
    links = await asyncio.to_thread(read_paths, tenant.name, body.paths, expires)
    digests = [link.digest for link in links if link.digest is not None]
    async with context.database.reading() as session:
        known = await find_originals(session, tenant.name, digests)
    return SignedUrls(urls=await asyncio.to_thread(sign_links, context.base_url, tenant, links, known))


async def _open(context: ApiContext, caller: Principal, identifier: str) -> ImageUrls:
    """Return the URLs of an image. Raise ResourceNotFound, or ResourceConflict where delivery would not answer them."""
    tenant = await find_tenant(context, caller.tenant)
    async with context.database.reading() as session:
        image = await images.find_image(session, caller.tenant, identifier)
    images.check_served(image)
    return urls_of(context, tenant, image)


def _thumbnails(urls: ImageUrls) -> ThumbnailsView:
    return ThumbnailsView(thumbnails=[_thumbnail(urls, name) for name in sorted(urls.tenant.presets)])


def _thumbnail(urls: ImageUrls, name: str) -> ThumbnailView:
    recipe = Recipe(preset=name)
    expanded = urls.planner.expand(recipe)
    ladder = urls.tenant.unsigned.get(name)
    try:
        rendition = urls.planner.plan(recipe)
        widths = () if ladder is None else ladder.widths
        candidates = urls.planner.candidates(recipe, widths, skip_refused=True)
    except LimitExceeded as error:
        own = expanded.format or urls.planner.facts.format.name
        return ThumbnailView(
            preset=name, url=urls.url(recipe), width=None, height=None, format=own, srcset=None, error=error.detail
        )
    return ThumbnailView(
        preset=name,
        url=urls.url(recipe),
        width=rendition.size.width if rendition.size else None,
        height=rendition.size.height if rendition.size else None,
        format=rendition.format,
        srcset=urls.srcset(candidates),
    )


def _preview(urls: ImageUrls) -> Recipe:
    return grammar.parse(preview_recipe(urls.tenant))


def _of_size(urls: ImageUrls, size: str) -> Recipe:
    """Return the recipe of a size: `original`, `optimized`, or a preset. Raise ValidationFailed, ResourceConflict."""
    if size == ORIGINAL:
        return Recipe(format=urls.planner.plan(Recipe()).format)
    if size == OPTIMIZED:
        return _optimized(urls.image)
    if size not in urls.tenant.presets:
        known = ", ".join((ORIGINAL, OPTIMIZED, *sorted(urls.tenant.presets)))[:250]
        raise ValidationFailed([FieldError("?size", "unknown-size", f"There is no such size. Sizes: {known}.")])
    return Recipe(preset=size)


def _optimized(image: Image) -> Recipe:
    recipe = None if image.optimized is None else image.optimized.get("recipe")
    if not isinstance(recipe, str):
        raise ResourceConflict("The optimized version has not been made yet: use size=original or a preset.")
    return grammar.parse(recipe)


def _read_widths(caller: Principal, tenant: Tenant, recipe: Recipe, text: str | None) -> list[int]:
    """Return the widths that a caller asks for. Raise ValidationFailed, or NotPermitted for those of no ladder."""
    widths = sorted({int(width) for width in (text or "").split(",") if width})
    if len(widths) > MOST_WIDTHS or any(width > _WIDEST for width in widths):
        detail = f"Send at most {MOST_WIDTHS} widths from 1 to {_WIDEST}."
        raise ValidationFailed([FieldError("?widths", "widths", detail)])
    ladder = tenant.unsigned.get(recipe.preset or "")
    if set(widths) - set(() if ladder is None else ladder.widths):
        check_any_recipe(caller, "Widths that are not in the ladder of a preset")
    return widths


async def _bytes(
    request: Request, context: ApiContext, urls: ImageUrls, recipe: Recipe, if_none_match: str | None
) -> Response:
    """Return the bytes of a recipe, from the caches or rendered."""
    derivative = await context.platform.renderer.render(urls.link(recipe), request.headers.get("accept", ""))
    etag = f'"{sha256(derivative.body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    if is_not_modified(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    headers |= {"content-disposition": "inline"}
    return Response(derivative.body, 200, headers, derivative.format.media_type)
