"""RenderRecords: the catalog's tables, the same on SQLite and PostgreSQL.

Natural keys where nature has them: a tenant is its name, an original its tenant and SHA-256, a derivative its key.
None of them ever changes, so no surrogate stands between a URL and its rows. Every row hangs below its tenant by a
foreign key, and each foreign key is the beginning of an index. A `table=True` model validates nothing: values are
checked before they come here, and no record leaves the plane.
"""

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

TENANT_LENGTH = 31
DIGEST_LENGTH = 64
SECRET_LENGTH = 256
FILE_NAME_LENGTH = 255
RECIPE_LENGTH = 2_048
"""More than any URL this service accepts can hold."""
KEY_LENGTH = TENANT_LENGTH + 1 + DIGEST_LENGTH + 1 + DIGEST_LENGTH
NAME_LENGTH = 32
FOCUS_LENGTH = 32
PREFIX_LENGTH = 1_024
CREDENTIALS_LENGTH = 65_536
LIMITS_LENGTH = 1_024
WORD_LENGTH = 64
"""Media types and format names."""

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
"""Constraints get names of ours, so that a migration can drop them on either database."""


Json = JSON().with_variant(JSONB(), "postgresql")
"""A JSON document; binary on PostgreSQL, so that it can be indexed."""


class Moment(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both sides, whether or not the database keeps a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Write in UTC; a naive time is a ValueError, because nobody knows what it means."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Read in UTC; SQLite has dropped the zone that was written."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """Give this moment, in UTC."""
    return datetime.now(UTC)


class Record(SQLModel):
    """Ancestor of all tables; they share one metadata, which is the schema."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


class Tenant(Record, table=True):
    """Owner of originals and keys."""

    name: str = Field(primary_key=True, max_length=TENANT_LENGTH)
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    linear: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    crisp: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    wide: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    hints: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    reference_ttl_s: int = Field(default=3_600, sa_column_kwargs={"server_default": "3600"})
    limits: str = Field(default="{}", max_length=LIMITS_LENGTH, sa_column_kwargs={"server_default": "{}"})
    """JSON: those of the installation's limits that are others here."""
    cache_epoch: int = Field(default=0, sa_column=Column("edition", Integer, nullable=False, server_default="0"))
    """How often its derivatives were purged."""


class Preset(Record, table=True):
    """One version of a recipe that has a name; the highest version counts."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(primary_key=True, max_length=NAME_LENGTH)
    version: int = Field(primary_key=True)
    recipe: str | None = Field(default=None, max_length=RECIPE_LENGTH)
    """None where it was deleted."""
    unsigned: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Watermark(Record, table=True):
    """One of a tenant's originals, under the name by which recipes lay it over others; sides upright, in pixels."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(primary_key=True, max_length=NAME_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    width: int
    height: int
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Source(Record, table=True):
    """A place that references may lead to: a prefix of their addresses, and what opens it."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    prefix: str = Field(primary_key=True, max_length=PREFIX_LENGTH)
    credentials: str = Field(default="{}", max_length=CREDENTIALS_LENGTH, repr=False)
    """JSON: names to values."""
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Secret(Record, table=True):
    """One of a tenant's signing secrets; among those not retired the highest id signs and all verify."""

    __table_args__ = (UniqueConstraint("tenant", "secret"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    secret: str = Field(max_length=SECRET_LENGTH, repr=False)
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    retired_at: datetime | None = Field(default=None, sa_type=Moment)


class Original(Record, table=True):
    """The facts of an original, sides in pixels as stored."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    sha256: str = Field(primary_key=True, max_length=DIGEST_LENGTH)
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    """None where only a render told us of the original: a render knows the picture, not its file."""
    media_type: str = Field(max_length=WORD_LENGTH)
    width: int
    height: int
    orientation: int
    frames: int
    alpha: bool
    icc: bool
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    """As uploaded; for people to read, never to open."""
    focus: str | None = Field(default=None, max_length=FOCUS_LENGTH)
    """Its focal point as `fp` spells it, of the upright picture; None is the centre, or unknown."""
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Derivative(Record, table=True):
    """One finished picture that was rendered: what, how large, how long it took."""

    __table_args__ = (
        ForeignKeyConstraint(["tenant", "original"], ["original.tenant", "original.sha256"]),
        Index(None, "tenant", "original"),
    )

    key: str = Field(primary_key=True, max_length=KEY_LENGTH)
    tenant: str = Field(max_length=TENANT_LENGTH)
    original: str = Field(max_length=DIGEST_LENGTH)
    recipe: str = Field(max_length=RECIPE_LENGTH)
    format: str = Field(max_length=WORD_LENGTH)
    width: int
    height: int
    size_bytes: int
    render_ms: float
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
