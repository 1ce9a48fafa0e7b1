"""Requests and answers about URLs of images."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from catalog.api.fields import Body, View, check_text
from catalog.images.schemas import Placeholder
from proxy.core.url.link import MAX_TARGET

MAX_PATHS = 1_000
LONGEST_EXPIRY_S = 10 * 365 * 86_400
_URL = "https://img.example.com/t/acme/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/~card?s=OeCAFYkyrny7KpySP1JiPLb_guz-lQ4lj32Sx93vxRs"


class ThumbnailView(View):
    """One preset of one image; sides in pixels, null where only the pixels tell them."""

    preset: str
    url: str
    width: int | None
    height: int | None
    format: str = Field(description="Name of the format; `auto` where the client decides.")
    srcset: str | None = Field(description="Null where there is nothing to choose from.")
    error: Annotated[
        str | None,
        Field(
            exclude_if=lambda error: error is None,
            description="Why the preset cannot be rendered for this image: its URL answers 422.",
        ),
    ] = None


class ThumbnailsView(View):
    """Every preset of one image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "thumbnails": [
                        {
                            "preset": "card",
                            "url": _URL,
                            "width": 400,
                            "height": 300,
                            "format": "auto",
                            "srcset": f"{_URL} 1x, {_URL.replace('~card', '~card-dpr2')} 2x",
                        }
                    ]
                }
            ]
        }
    )

    thumbnails: list[ThumbnailView]


class LinksView(View):
    """One recipe of one image, as URL and as HTML; `img` and `picture` are null for texts and placeholders."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": _URL,
                    "width": 400,
                    "height": 300,
                    "format": "auto",
                    "srcset": None,
                    "sizes": None,
                    "alt": "A blue chair",
                    "placeholder": {"thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI", "color": "#a0522d"},
                    "img": f'<img src="{_URL}" width="400" height="300" alt="A blue chair">',
                    "picture": f'<picture>\n<img src="{_URL}" width="400" height="300" alt="A blue chair">\n</picture>',
                }
            ]
        }
    )

    url: str
    width: int | None
    height: int | None
    format: str
    srcset: str | None
    sizes: str | None
    alt: str
    placeholder: Placeholder
    img: str | None
    picture: str | None


PathText = Annotated[str, StringConstraints(max_length=MAX_TARGET), AfterValidator(check_text)]


class SignRequest(Body):
    """Paths of the tenant to sign, and for how many seconds; for ever without."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "paths": [
                        "/t/acme/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/w320-h180-webp"
                    ],
                    "expires_s": 3_600,
                }
            ]
        }
    )

    paths: Annotated[list[PathText], Field(min_length=1, max_length=MAX_PATHS)]
    expires_s: Annotated[int | None, Field(ge=1, le=LONGEST_EXPIRY_S)] = None


class SignedUrls(View):
    """The URLs, in the order of the paths."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"urls": [_URL]}]})

    urls: list[str]
