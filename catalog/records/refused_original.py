"""The table of refused originals."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from catalog.records.base import DIGEST_LENGTH, TENANT_LENGTH, Record, UtcDateTime


class RefusedOriginal(Record, table=True):
    """The newest state of an original that was withdrawn once; originals without a row are delivered.

    The row outlives the original: delivery nodes learn from it, and a late render must not bring the original back.
    """

    __tablename__ = "refused_original"
    __table_args__ = (Index("ix_refused_original_changed", "changed_at", "tenant", "original"),)

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    original: str = Field(primary_key=True, max_length=DIGEST_LENGTH)
    refused: bool
    changed_at: datetime = Field(sa_type=UtcDateTime)
    """By the database's clock: when it was refused or permitted, or its derivatives were purged."""
