"""Tokens, idempotency keys, the audit trail, settings and daily usage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("revoked_at", _MOMENT, nullable=True),
        sa.Column("last_used_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_api_token_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
    )
    op.create_index("ix_api_token_tenant", "api_token", ["tenant", "created_at"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("route", sa.String(255), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", _JSON, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_idempotency_key_tenant"),
        sa.PrimaryKeyConstraint("tenant", "subject", "route", "key", name="pk_idempotency_key"),
    )
    op.create_index("ix_idempotency_key_created", "idempotency_key", ["created_at"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject_type", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(255), nullable=False),
        sa.Column("from", _JSON, nullable=False),
        sa.Column("before", _JSON, nullable=True),
        sa.Column("after", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    op.create_index("ix_audit_event_tenant_actor", "audit_event", ["tenant", "actor"], unique=False)
    op.create_index("ix_audit_event_tenant_at", "audit_event", ["tenant", "at", "id"], unique=False)
    op.create_index(
        "ix_audit_event_tenant_subject", "audit_event", ["tenant", "subject_type", "subject_id"], unique=False
    )
    op.create_table(
        "tenant_settings",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_tenant_settings_tenant"),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenant_settings"),
    )
    op.create_table(
        "daily_usage",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hits", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("renders", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sent_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("uploads", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("uploaded_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_daily_usage_tenant"),
        sa.PrimaryKeyConstraint("tenant", "day", "original", name="pk_daily_usage"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("daily_usage")
    op.drop_table("tenant_settings")
    op.drop_table("audit_event")
    op.drop_table("idempotency_key")
    op.drop_table("api_token")
