"""The oldest code that works with the schema."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create a table of one row."""
    op.create_table(
        "schema_compatibility",
        sa.Column("oldest_revision", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("oldest_revision", name="pk_schema_compatibility"),
    )
    op.execute("INSERT INTO schema_compatibility (oldest_revision) VALUES ('0004')")


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("schema_compatibility")
