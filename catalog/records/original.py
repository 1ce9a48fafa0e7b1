"""The table of originals."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field

from catalog.records.base import (
    DIGEST_LENGTH,
    FILE_NAME_LENGTH,
    TENANT_LENGTH,
    WORD_LENGTH,
    Record,
    UtcDateTime,
    now,
)

FOCUS_LENGTH = 32


class Original(Record, table=True):
    """The facts of an original; sides in pixels as stored, before EXIF orientation."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    sha256: str = Field(primary_key=True, max_length=DIGEST_LENGTH)
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    """None if only a render recorded the original: a render has the facts of the image, not of its file."""
    media_type: str = Field(max_length=WORD_LENGTH)
    width: int
    height: int
    orientation: int
    frames: int
    alpha: bool
    icc: bool
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    """As uploaded; for display only."""
    focus: str | None = Field(default=None, max_length=FOCUS_LENGTH)
    """Focal point of the upright image in the spelling of `fp`; None means the centre, or unknown."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
