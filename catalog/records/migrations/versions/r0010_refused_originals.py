"""Originals that delivery refuses."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "refused_original",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_refused_original_tenant"),
        sa.PrimaryKeyConstraint("tenant", "original", name="pk_refused_original"),
    )
    op.create_index(
        "ix_refused_original_changed", "refused_original", ["changed_at", "tenant", "original"], unique=False
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("refused_original")
