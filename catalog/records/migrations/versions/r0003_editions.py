"""Editions: what a purge counts up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Widen one table; tenants from before are in their first edition, and their derivatives keep their keys."""
    op.add_column("tenant", sa.Column("edition", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("tenant", "edition")
