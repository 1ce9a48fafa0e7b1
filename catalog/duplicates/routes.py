"""Routes of near duplicates."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from catalog.api.context import Caller, Context
from catalog.duplicates.schemas import DuplicatesQuery, DuplicatesView, DuplicateView
from catalog.duplicates.service import find_duplicates
from catalog.images.service import find_image
from catalog.images.views import ImageViews

router = APIRouter(prefix="/api/images", tags=["images"])

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]


@router.get("/{id}/duplicates", summary="Find images that look alike")
async def list_duplicates(
    context: Context,
    caller: Caller,
    id: Id,  # noqa: A002 - the contract's own name
    query: Annotated[DuplicatesQuery, Query()],
) -> DuplicatesView:
    """Return images whose perceptual hashes differ in few bits, the most alike first."""
    views = await ImageViews.open(context, caller.tenant)
    async with context.database.reading() as session:
        image = await find_image(session, caller.tenant, id)
        found = await find_duplicates(session, image, query.distance, query.limit)
        images = await views.views(session, [duplicate.image for duplicate in found])
    return DuplicatesView(
        duplicates=[
            DuplicateView(image=view, distance=duplicate.distance, score=duplicate.score)
            for view, duplicate in zip(images, found, strict=True)
        ]
    )
