"""Audit events: who changed what; written in the transaction of the change, and never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, WORD_LENGTH, Json, Record, UtcDateTime, now
from catalog.records.image import ID_LENGTH, SUBJECT_LENGTH


class AuditEvent(Record, table=True):
    """One change."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_tenant_at", "tenant", "at", "id"),
        Index("ix_audit_event_tenant_subject", "tenant", "subject_type", "subject_id"),
        Index("ix_audit_event_tenant_actor", "tenant", "actor"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(max_length=TENANT_LENGTH)
    """No foreign key: the trail outlives its tenant."""
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    actor: str = Field(max_length=SUBJECT_LENGTH)
    action: str = Field(max_length=WORD_LENGTH)
    subject_type: str = Field(max_length=WORD_LENGTH)
    subject_id: str = Field(max_length=SUBJECT_LENGTH)
    origin: dict[str, Any] = Field(default_factory=dict, sa_column=Column("from", Json, nullable=False))
    """Address, user agent and request id."""
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
