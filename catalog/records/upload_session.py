"""Upload sessions: uploads that take more than one request (direct uploads, tus)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field

from catalog.records.base import (
    DIGEST_LENGTH,
    FILE_NAME_LENGTH,
    TENANT_LENGTH,
    WORD_LENGTH,
    Json,
    Record,
    UtcDateTime,
    now,
)
from catalog.records.image import ID_LENGTH, SUBJECT_LENGTH


class UploadSession(Record, table=True):
    """One upload under way; `kind` is `direct` or `tus`, `state` is `open`, `received`, `completed` or `aborted`."""

    __tablename__ = "upload_session"
    __table_args__ = (Index("ix_upload_session_expires", "expires_at"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    state: str = Field(default="open", max_length=WORD_LENGTH)
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str | None = Field(default=None, max_length=DIGEST_LENGTH)
    received_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    fields: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    """What the image gets: title, tags, entity, …"""
    image: str | None = Field(default=None, max_length=ID_LENGTH)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)
    expires_at: datetime = Field(sa_type=UtcDateTime)
