"""The table of tenants."""

from datetime import datetime

from sqlalchemy import Column, Integer, false
from sqlmodel import Field

from catalog.records.base import JSON_LENGTH, TENANT_LENGTH, Record, UtcDateTime, now


class Tenant(Record, table=True):
    """Owner of originals and keys, with its rules."""

    name: str = Field(primary_key=True, max_length=TENANT_LENGTH)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    linear: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    crisp: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    wide: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    hints: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    reference_ttl_s: int = Field(default=3_600, sa_column_kwargs={"server_default": "3600"})
    limits: str = Field(default="{}", max_length=JSON_LENGTH, sa_column_kwargs={"server_default": "{}"})
    """JSON object: limits of the tenant that differ from the installation's."""
    cache_epoch: int = Field(default=0, sa_column=Column("edition", Integer, nullable=False, server_default="0"))
    """Number of purges of the tenant's derivatives."""
