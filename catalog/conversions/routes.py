"""Routes of conversions."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.context import Changing, Context
from catalog.api.openapi_parts import told
from catalog.conversions.schemas import ConvertRequest
from catalog.conversions.service import plan_conversion, request_conversion
from catalog.images.service import check_served, find_image
from catalog.jobs.schemas import JobView, view_of
from catalog.urls.image_urls import find_tenant, urls_of

router = APIRouter(prefix="/api/images", tags=["images"])

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]


@router.put(
    "/{id}/convert",
    summary="Convert an image",
    status_code=202,
    response_model=JobView,
    responses={202: told("Location")},
)
async def convert_image(
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    body: ConvertRequest,
) -> Response:
    """Queue a job that renders the image in another format, for its URL or as a new image."""
    tenant = await find_tenant(context, change.principal.tenant)

    async def work(session: AsyncSession) -> Response:
        image = await find_image(session, tenant.name, id)
        check_served(image)
        urls = urls_of(context, tenant, image)
        conversion = plan_conversion(urls, body.format, body.recipe, body.keep, context.formats)
        job = await request_conversion(session, change.principal, change.origin, image, conversion)
        return json_answer(view_of(job), 202, location=f"/api/jobs/{job.id}")

    return await change.run(work)
