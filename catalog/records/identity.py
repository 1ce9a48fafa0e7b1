"""API tokens and idempotency keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field

from catalog.records.base import DIGEST_LENGTH, TENANT_LENGTH, WORD_LENGTH, Json, Record, UtcDateTime, now
from catalog.records.image import SUBJECT_LENGTH

TOKEN_ID_LENGTH = 12
TOKEN_NAME_LENGTH = 128
IDEMPOTENCY_KEY_LENGTH = 255


class Token(Record, table=True):
    """One API token; of its secret only a hash is stored."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_tenant", "tenant", "created_at"),)

    id: str = Field(primary_key=True, max_length=TOKEN_ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(default="", max_length=TOKEN_NAME_LENGTH)
    role: str = Field(max_length=WORD_LENGTH)
    scopes: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=False))
    digest: str = Field(max_length=DIGEST_LENGTH, repr=False)
    version: int = 1
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class IdempotencyKey(Record, table=True):
    """The answer to a change that may be sent again; `status` is None while the first request is at work."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created", "created_at"),)

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    subject: str = Field(primary_key=True, max_length=SUBJECT_LENGTH)
    route: str = Field(primary_key=True, max_length=255)
    key: str = Field(primary_key=True, max_length=IDEMPOTENCY_KEY_LENGTH)
    fingerprint: str = Field(max_length=DIGEST_LENGTH)
    status: int | None = None
    headers: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    body: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
