"""Widths and device pixel ratios of unsigned presets."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add one column; existing unsigned presets have no ladder."""
    op.add_column("preset", sa.Column("ladder", sa.String(1024), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("preset", "ladder")
