"""Settings of a tenant that the management plane obeys; what delivery needs of a tenant is in `tenant` itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, Json, Record, UtcDateTime, now


class TenantSettings(Record, table=True):
    """One document per tenant: upload rules, retention, CORS, locations; a tenant without a row has the defaults."""

    __tablename__ = "tenant_settings"

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    version: int = 1
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
