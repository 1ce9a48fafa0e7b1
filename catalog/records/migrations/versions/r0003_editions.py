"""The number of purges of a tenant (`cache_epoch`)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add one column; existing tenants start at 0, and the keys of their derivatives do not change."""
    op.add_column("tenant", sa.Column("edition", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("tenant", "edition")
