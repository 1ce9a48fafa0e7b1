"""The table of signing keys."""

from datetime import datetime

from sqlalchemy import Column, String, UniqueConstraint
from sqlmodel import Field

from catalog.records.base import DIGEST_LENGTH, TENANT_LENGTH, Record, UtcDateTime, now

SECRET_LENGTH = 256
"""Longest secret, in characters."""
ENCRYPTED_SECRET_LENGTH = 2_048


class Secret(Record, table=True):
    """A signing key of a tenant. Of those not retired the one with the highest id signs, and all verify."""

    __table_args__ = (UniqueConstraint("tenant", "fingerprint"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    encrypted_secret: str = Field(
        sa_column=Column("secret", String(ENCRYPTED_SECRET_LENGTH), nullable=False), repr=False
    )
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    fingerprint: str = Field(max_length=DIGEST_LENGTH, repr=False)
    """HMAC of tenant and secret with a key derived from the encryption key: equal secrets without decryption."""
