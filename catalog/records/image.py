"""Images, their versions and tags.

An image stands on one original at a time; within a tenant, one original is one image. Sides are upright, in pixels.
JSON columns hold what is read and written as a whole; what is searched for has a column of its own.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKeyConstraint, Index, SmallInteger, Text, UniqueConstraint
from sqlmodel import Field

from catalog.records.base import (
    DIGEST_LENGTH,
    FILE_NAME_LENGTH,
    TENANT_LENGTH,
    WORD_LENGTH,
    Json,
    Record,
    UtcDateTime,
    now,
)

ID_LENGTH = 36
TITLE_LENGTH, ALT_TEXT_LENGTH, CAPTION_LENGTH = 255, 2_000, 5_000
TAG_LENGTH, MAX_TAGS = 64, 100
METADATA_BYTES = 16_384
SUBJECT_LENGTH = 255
REASON_LENGTH = 255


class Image(Record, table=True):
    """What the catalog knows of one image."""

    __table_args__ = (
        UniqueConstraint("tenant", "original"),
        Index("ix_image_tenant_created", "tenant", "created_at", "id"),
        Index("ix_image_tenant_status", "tenant", "status"),
        Index("ix_image_tenant_collection", "tenant", "collection"),
        Index("ix_image_tenant_phash_0", "tenant", "phash_0"),
        Index("ix_image_tenant_phash_1", "tenant", "phash_1"),
        Index("ix_image_tenant_phash_2", "tenant", "phash_2"),
        Index("ix_image_tenant_phash_3", "tenant", "phash_3"),
        ForeignKeyConstraint(["collection"], ["collection.id"]),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    status: str = Field(max_length=WORD_LENGTH)
    reason: str | None = Field(default=None, max_length=REASON_LENGTH)
    """Why it was rejected or quarantined, or which part of the pipeline failed."""
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    title: str | None = Field(default=None, max_length=TITLE_LENGTH)
    alt_text: str = Field(default="", sa_column=Column(Text, nullable=False))
    caption: str = Field(default="", sa_column=Column(Text, nullable=False))
    custom: dict[str, Any] = Field(default_factory=dict, sa_column=Column("metadata", Json, nullable=False))
    """The API's `metadata`: keys and values of the tenant's own."""
    collection: str | None = Field(default=None, max_length=ID_LENGTH)
    focus_x: float | None = Field(default=None, sa_column=Column(Float))
    focus_y: float | None = Field(default=None, sa_column=Column(Float))

    media_type: str = Field(max_length=WORD_LENGTH)
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    width: int
    height: int
    frames: int = 1
    has_alpha: bool = False
    orientation: int = 1

    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    camera: str | None = Field(default=None, max_length=255)
    copyright: str | None = Field(default=None, max_length=2_000)
    location: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    """Latitude and longitude; only where the tenant keeps locations."""
    thumbhash: str | None = Field(default=None, max_length=64)
    color: str | None = Field(default=None, max_length=7)
    colors: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=False))
    phash: str | None = Field(default=None, max_length=16)
    """64-bit perceptual hash, 16 hexadecimal digits; its four bands are indexed."""
    phash_0: int | None = Field(default=None, sa_column=Column(SmallInteger))
    phash_1: int | None = Field(default=None, sa_column=Column(SmallInteger))
    phash_2: int | None = Field(default=None, sa_column=Column(SmallInteger))
    phash_3: int | None = Field(default=None, sa_column=Column(SmallInteger))
    quality_score: int | None = None
    quality: dict[str, float] | None = Field(default=None, sa_column=Column(Json))
    optimized: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    failed_parts: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=False))
    """Parts of the pipeline that failed; the image is usable without them."""

    version: int = 1
    """Counts changes of the record: the ETag."""
    number: int = 1
    """The version of the bytes that it stands on."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)
    trashed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trashed_from: str | None = Field(default=None, max_length=WORD_LENGTH)
    """The status before it was trashed, to which it is restored."""


class ImageVersion(Record, table=True):
    """One original that an image stands or stood on; the first is number 1."""

    __tablename__ = "image_version"
    __table_args__ = (
        ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),
        Index("ix_image_version_tenant_original", "tenant", "original"),
    )

    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    number: int = Field(primary_key=True)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    media_type: str = Field(max_length=WORD_LENGTH)
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    width: int
    height: int
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)


class ImageTag(Record, table=True):
    """One tag of one image."""

    __tablename__ = "image_tag"
    __table_args__ = (
        ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),
        Index("ix_image_tag_image", "image"),
    )

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    tag: str = Field(primary_key=True, max_length=TAG_LENGTH)
    image: str = Field(primary_key=True, max_length=ID_LENGTH)
