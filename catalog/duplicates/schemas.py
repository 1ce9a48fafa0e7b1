"""Queries and answers about near duplicates."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from catalog.api.fields import View
from catalog.images.schemas import ImageView
from proxy.core.media.perceptual_hash import MAX_DISTANCE


class DuplicatesQuery(BaseModel):
    """How alike images have to be, and how many to return."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    distance: Annotated[int, Field(ge=0, le=MAX_DISTANCE, description="Bits of 64 that may differ.")] = MAX_DISTANCE
    limit: Annotated[int, Field(ge=1, le=200, description="The most images.")] = 50
    tenant: Annotated[str | None, Field(max_length=31, description="For operators: the tenant to act for.")] = None


class DuplicateView(View):
    """An image that looks alike."""

    image: ImageView
    distance: int = Field(description="Bits of 64 in which the perceptual hashes differ.")
    score: float = Field(description="From 1, no difference, down.")


class DuplicatesView(View):
    """Images that look alike, the most alike first."""

    duplicates: list[DuplicateView]
