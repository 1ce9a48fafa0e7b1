"""What upload sessions need for direct and resumable uploads: declared type, deferred size, metadata, outcome."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add columns that older code leaves empty, and an index for the sessions of a tenant."""
    op.add_column("upload_session", sa.Column("declared_type", sa.String(255), nullable=True))
    op.add_column("upload_session", sa.Column("deferred", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("upload_session", sa.Column("upload_metadata", sa.Text(), nullable=True))
    op.add_column("upload_session", sa.Column("outcome", _JSON, nullable=True))
    op.create_index("ix_upload_session_tenant_state", "upload_session", ["tenant", "state"], unique=False)


def downgrade() -> None:
    """Drop the index and the columns."""
    op.drop_index("ix_upload_session_tenant_state", "upload_session")
    for name in ("outcome", "upload_metadata", "deferred", "declared_type"):
        op.drop_column("upload_session", name)
