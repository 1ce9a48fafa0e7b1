"""Entities: things of the tenant's own world that show images, and the order of their images.

An entity has a row of its own for one reason: whoever changes its order locks that row, so that there is exactly one
primary image at every moment, however many write at once. A partial unique index refuses a second one.
"""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, Record, UtcDateTime, now
from catalog.records.image import ID_LENGTH

ENTITY_TYPE_LENGTH, ENTITY_ID_LENGTH = 64, 255


class Entity(Record, table=True):
    """One thing that shows images."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    type: str = Field(primary_key=True, max_length=ENTITY_TYPE_LENGTH)
    id: str = Field(primary_key=True, max_length=ENTITY_ID_LENGTH)
    version: int = 1
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class EntityLink(Record, table=True):
    """One image of one entity; positions count from 0 without gaps."""

    __tablename__ = "entity_link"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "type", "entity"], ["entity.tenant", "entity.type", "entity.id"]),
        ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),
        Index("ix_entity_link_image", "image"),
        Index(
            "uq_entity_link_primary",
            "tenant",
            "type",
            "entity",
            unique=True,
            sqlite_where=text("is_primary = 1"),
            postgresql_where=text("is_primary"),
        ),
    )

    tenant: str = Field(primary_key=True, max_length=TENANT_LENGTH)
    type: str = Field(primary_key=True, max_length=ENTITY_TYPE_LENGTH)
    entity: str = Field(primary_key=True, max_length=ENTITY_ID_LENGTH)
    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    position: int
    is_primary: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
