"""Requests and answers about images."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from catalog.api.fields import AltText, Body, Caption, Focus, Metadata, Tags, Title, View
from catalog.api.pages import Page, PageQuery
from catalog.core.search.parser import MAX_LENGTH
from catalog.search.facets import FACETS
from catalog.search.orders import ORDERS

StatusName = Literal["pending", "processing", "ready", "rejected", "quarantined", "trashed"]

_EXAMPLE: JsonDict = {
    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "original": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "file_name": "chair.jpg",
    "title": None,
    "alt_text": "",
    "caption": "",
    "tags": ["blue"],
    "metadata": {"sku": "42"},
    "media_type": "image/jpeg",
    "size_bytes": 348_723,
    "width": 3_000,
    "height": 2_000,
    "frames": 1,
    "has_alpha": False,
    "taken_at": None,
    "camera": None,
    "status": "ready",
    "focus": {"x": 0.5, "y": 0.5},
    "placeholder": {"thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI", "color": "#a0522d"},
    "colors": ["#a0522d"],
    "phash": "c3d1a0b0c0d0e0f0",
    "quality": {"score": 82, "sharpness": 0.9, "exposure": 0.8, "contrast": 0.7, "resolution": 1.0},
    "optimized": {
        "media_type": "image/webp",
        "size_bytes": 81_234,
        "ratio": 0.233,
        "url": "https://img.example.com/t/acme/9f86…0a08/qgood-webp?s=…",
    },
    "entities": [{"type": "product", "id": "42", "position": 0, "primary": True}],
    "url": "https://img.example.com/t/acme/9f86…0a08/~preview?s=…",
    "version": 1,
    "created_at": "2026-11-24T12:00:00Z",
    "updated_at": "2026-11-24T12:00:00Z",
    "created_by": "token:4fQ2mXb81LsA",
    "trashed_at": None,
}
_DESCRIPTION: JsonDict = {"alt_text": "A blue chair", "tags": ["blue", "chair"], "metadata": {"sku": "42"}}


_REASON = "Why it was rejected or quarantined, or why parts of the pipeline failed."


def _is_none(value: object) -> bool:
    return value is None


class ImageQuery(PageQuery):
    """The query of the list of images (docs/search.md)."""

    q: Annotated[str, Field(max_length=MAX_LENGTH, description="What to find; empty for all but the trash.")] = ""
    sort: Annotated[
        str,
        Field(pattern=f"^-?({'|'.join(ORDERS)})$", description="Order; `-` turns it around. The newest come first."),
    ] = "created"
    total: Annotated[bool, Field(description="Whether to count what is found.")] = False
    facets: Annotated[
        str,
        Field(
            pattern=f"^(({'|'.join(FACETS)})(,({'|'.join(FACETS)})){{0,15}})?$",
            description="Fields, separated by commas, whose values are counted within the search.",
        ),
    ] = ""


def _is_empty(value: object) -> bool:
    return value == []


class Placeholder(View):
    """What is shown until the image is there."""

    thumbhash: str | None
    color: str | None


class QualityView(View):
    """Technical quality: the score from 0 to 100, its components from 0 to 1."""

    score: int
    sharpness: float
    exposure: float
    contrast: float
    resolution: float


class OptimizedView(View):
    """The optimised version: full size, in fewer bytes."""

    media_type: str
    size_bytes: int
    ratio: Annotated[float, Field(description="Its bytes, over those of the original; at most 1.")]
    url: Annotated[
        str | None, Field(description="Signed URL; null if no version is smaller than the original (the ratio is 1).")
    ]


class LinkView(View):
    """One entity that uses the image."""

    type: str
    id: str
    position: int
    primary: bool


class LocationView(View):
    """Where the image was taken, in degrees."""

    latitude: float
    longitude: float


class ImageView(View):
    """An image; sides are upright, in pixels."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    original: str
    file_name: str | None
    title: str | None
    alt_text: str
    caption: str
    tags: list[str]
    metadata: dict[str, Any]
    media_type: str
    size_bytes: int
    width: int
    height: int
    frames: int
    has_alpha: bool
    taken_at: datetime | None
    camera: str | None
    location: Annotated[
        LocationView | None,
        Field(exclude_if=_is_none, description="Only where the tenant has set keep_location."),
    ] = None
    status: StatusName
    reason: Annotated[str | None, Field(exclude_if=_is_none, description=_REASON)] = None
    failed_parts: Annotated[
        list[str], Field(default_factory=list, exclude_if=_is_empty, description="Parts that could not be computed.")
    ]
    focus: Focus
    placeholder: Placeholder
    colors: list[str]
    phash: str | None
    quality: QualityView | None
    optimized: Annotated[
        OptimizedView | None, Field(description="Null until the pipeline has made it, or if the tenant wants none.")
    ]
    entities: list[LinkView]
    url: Annotated[str | None, Field(description="Signed URL of the preset `preview`; null without a signing key.")]
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
    trashed_at: datetime | None
    duplicate: Annotated[
        Literal[True] | None,
        Field(exclude_if=_is_none, description="Only in the answer to an upload of bytes that were here already."),
    ] = None


class ImageList(Page[ImageView]):
    """One page of images, and what was counted."""

    total: Annotated[int | None, Field(exclude_if=_is_none, description="Only with `total=true`.")] = None
    facets: Annotated[
        dict[str, dict[str, int]] | None,
        Field(exclude_if=_is_none, description="Only with `facets`: the most frequent values of each field."),
    ] = None


class MetadataPut(Body):
    """All that is said about an image; what is left out has its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DESCRIPTION]})

    title: Title | None = None
    alt_text: AltText = ""
    caption: Caption = ""
    tags: Annotated[Tags, Field(default_factory=list)]
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    focus: Focus = Focus(x=0.5, y=0.5)


class FocusPatch(Body):
    """A change of the focal point."""

    x: Annotated[float | None, Field(ge=0, le=1)] = None
    y: Annotated[float | None, Field(ge=0, le=1)] = None


class MetadataPatch(Body):
    """A JSON merge patch (RFC 7396): null sets a field to its default, or removes a key of `metadata`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"alt_text": "A blue chair", "metadata": {"sku": None, "season": "spring"}}]}
    )

    title: Title | None = None
    alt_text: AltText | None = None
    caption: Caption | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None
    focus: FocusPatch | None = None
