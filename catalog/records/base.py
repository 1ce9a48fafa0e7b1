"""What all tables share: the declarative base, the naming of constraints, column lengths and UTC timestamps.

Keys are natural where possible: a tenant is identified by its name, an original by tenant and SHA-256, a derivative by
its key. None of them ever changes, so no surrogate key stands between a URL and its rows. Every row refers to its
tenant by a foreign key, and each foreign key is a prefix of an index. A `table=True` model validates nothing: services
check values before they create rows, and no row leaves the plane.
"""

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import JSON, DateTime, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

TENANT_LENGTH = 31
DIGEST_LENGTH = 64
NAME_LENGTH = 32
FILE_NAME_LENGTH = 255
RECIPE_LENGTH = 2_048
"""Longer than any recipe in an accepted URL."""
WORD_LENGTH = 64
"""Media types and format names."""
JSON_LENGTH = 1_024
"""Small JSON documents: limits, ladders."""

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
"""Names of constraints, so that a migration can drop them on either database."""


Json = JSON().with_variant(JSONB(), "postgresql")
"""A JSON document; binary on PostgreSQL, so that it can be indexed."""


class UtcDateTime(TypeDecorator[datetime]):
    """A timestamp that is aware and in UTC on both sides, whether or not the database stores a time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raise ValueError for a naive datetime, whose zone is unknown."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC; SQLite drops the zone that was written."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Record(SQLModel):
    """Base class of all tables; their shared metadata is the schema."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)
