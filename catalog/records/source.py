"""The table of sources."""

from datetime import datetime

from sqlalchemy import Column, String
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, Record, UtcDateTime, now

PREFIX_LENGTH = 1_024
CREDENTIALS_LENGTH = 65_536


class Source(Record, table=True):
    """A prefix of the addresses that a tenant's references may name, and the credentials for it."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    prefix: str = Field(primary_key=True, max_length=PREFIX_LENGTH)
    encrypted_credentials: str = Field(
        sa_column=Column("credentials", String(CREDENTIALS_LENGTH), nullable=False), repr=False
    )
    """JSON object of names to values, encrypted."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
