"""Collections: named groups of a tenant's images; an image is in one of them, or in none."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, Record, UtcDateTime, now
from catalog.records.image import ID_LENGTH, SUBJECT_LENGTH

COLLECTION_NAME_LENGTH, DESCRIPTION_LENGTH = 128, 2_000


class Collection(Record, table=True):
    """One collection."""

    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(max_length=COLLECTION_NAME_LENGTH)
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH)
    version: int = 1
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)
