"""The table of watermarks."""

from datetime import datetime

from sqlmodel import Field

from catalog.records.base import DIGEST_LENGTH, NAME_LENGTH, TENANT_LENGTH, Record, UtcDateTime, now


class Watermark(Record, table=True):
    """A named original of a tenant that recipes overlay on others; upright sides in pixels."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(primary_key=True, max_length=NAME_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    width: int
    height: int
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
