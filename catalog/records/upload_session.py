"""Upload sessions: uploads that take more than one request (direct uploads, tus)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Text, false
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

MEDIA_TYPE_LENGTH = 255


class UploadSession(Record, table=True):
    """One upload under way; `kind` is `direct` or `tus`, `state` one of `catalog.core.upload_state`.

    How many bytes are durable is known to the store of parts; `received_bytes` is what the last request left.
    """

    __tablename__ = "upload_session"
    __table_args__ = (
        Index("ix_upload_session_expires", "expires_at"),
        Index("ix_upload_session_tenant_state", "tenant", "state"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    state: str = Field(default="open", max_length=WORD_LENGTH)
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH)
    declared_type: str | None = Field(default=None, max_length=MEDIA_TYPE_LENGTH)
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    """The announced size; while the announcement is deferred, the most that is taken."""
    deferred: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether the size is still to be announced (tus)."""
    sha256: str | None = Field(default=None, max_length=DIGEST_LENGTH)
    received_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    fields: dict[str, Any] = Field(default_factory=dict, sa_column=Column(Json, nullable=False))
    """What the image gets: title, tags, entity, …"""
    upload_metadata: str | None = Field(default=None, sa_column=Column(Text))
    """The field `Upload-Metadata` as it was sent (tus)."""
    image: str | None = Field(default=None, max_length=ID_LENGTH)
    outcome: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    """How it ended: `{"created": …}` with an image, or the problem by which the file was refused."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    created_by: str = Field(default="", max_length=SUBJECT_LENGTH)
    expires_at: datetime = Field(sa_type=UtcDateTime)
