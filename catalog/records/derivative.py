"""The table of derivatives."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field

from catalog.records.base import (
    DIGEST_LENGTH,
    RECIPE_LENGTH,
    TENANT_LENGTH,
    WORD_LENGTH,
    Record,
    UtcDateTime,
    now,
)

KEY_LENGTH = TENANT_LENGTH + 1 + DIGEST_LENGTH + 1 + DIGEST_LENGTH


class Derivative(Record, table=True):
    """One rendered derivative: its recipe, sides in pixels, size and render time."""

    __table_args__ = (
        ForeignKeyConstraint(["tenant", "original"], ["original.tenant", "original.sha256"]),
        Index(None, "tenant", "original"),
    )

    key: str = Field(primary_key=True, max_length=KEY_LENGTH)
    """`{tenant}/{original}/{variant}`: the derivative's key without renderer version and cache epoch."""
    tenant: str = Field(max_length=TENANT_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    recipe: str = Field(max_length=RECIPE_LENGTH)
    format: str = Field(max_length=WORD_LENGTH)
    width: int
    height: int
    size_bytes: int
    render_ms: float
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
