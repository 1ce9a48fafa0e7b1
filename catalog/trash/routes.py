"""Routes of the trash."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer, no_content
from catalog.api.conditions import MAX_LENGTH, check_if_match
from catalog.api.context import Changing, Context
from catalog.core.api_errors import NotPermitted
from catalog.core.permissions import PERMANENT_DELETION
from catalog.images.schemas import ImageView
from catalog.images.views import ImageViews, image_etag
from catalog.jobs.schemas import JobView, view_of
from catalog.trash.deletion import delete_image
from catalog.trash.service import lock_image, restore_image, trash_image

router = APIRouter(prefix="/api/images", tags=["images"])

_ACCEPTED = 202

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]
IfMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="Change only this version.")]
Force = Annotated[bool, Query(description="Also if entities use the image: it is unlinked from them.")]
Permanent = Annotated[bool, Query(description="Delete it for good instead; for admins.")]


@router.delete(
    "/{id}",
    summary="Delete an image",
    status_code=204,
    response_class=Response,
    responses={_ACCEPTED: {"model": JobView, "description": "With `permanent`: the job that deletes the bytes."}},
)
async def delete(
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    *,
    permanent: Permanent = False,
    force: Force = False,
    if_match: IfMatch = None,
) -> Response:
    """Put an image into the trash (204), or delete it for good (202). Its URLs answer 404 within five seconds.

    An image that entities use is 409 with their names, unless it is forced.
    """
    if permanent and not change.principal.may(PERMANENT_DELETION):
        raise NotPermitted(
            "Deletion for good needs the role admin and the scope write: omit permanent, or ask an admin."
        )

    async def work(session: AsyncSession) -> Response:
        image = await lock_image(session, change.principal, id)
        check_if_match(if_match, image_etag(image))
        if permanent:
            job = await delete_image(session, change.principal, change.origin, image, force=force)
            return json_answer(view_of(job), _ACCEPTED)
        await trash_image(session, change.principal, change.origin, image, force=force)
        return no_content()

    return await change.run(work)


@router.post("/{id}/restore", summary="Restore an image", response_model=ImageView)
async def restore(
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    if_match: IfMatch = None,
) -> Response:
    """Take an image out of the trash. Its URLs work again within five seconds."""
    views = await ImageViews.open(context, change.principal.tenant)

    async def work(session: AsyncSession) -> Response:
        image = await lock_image(session, change.principal, id)
        check_if_match(if_match, image_etag(image))
        await restore_image(session, change.principal, change.origin, image)
        return json_answer(await views.view(session, image), etag=image_etag(image))

    return await change.run(work)
