"""Presets, watermarks, sources, and rules of a tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create three tables and add columns to two; existing tenants have no presets, and their images do not change."""
    for name in ("linear", "crisp", "wide", "hints"):
        op.add_column("tenant", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("tenant", sa.Column("limits", sa.String(1024), nullable=False, server_default="{}"))
    op.add_column("tenant", sa.Column("reference_ttl_s", sa.Integer(), nullable=False, server_default="3600"))
    op.add_column("original", sa.Column("focus", sa.String(32), nullable=True))
    op.create_table(
        "source",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("prefix", sa.String(1024), nullable=False),
        sa.Column("credentials", sa.String(65536), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "prefix", name="pk_source"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_source_tenant"),
    )
    op.create_table(
        "preset",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recipe", sa.String(2048), nullable=True),
        sa.Column("unsigned", sa.Boolean(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name="pk_preset"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_preset_tenant"),
    )
    op.create_table(
        "watermark",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_watermark"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_watermark_tenant"),
    )


def downgrade() -> None:
    """Drop the three tables and the columns."""
    op.drop_table("source")
    op.drop_table("watermark")
    op.drop_table("preset")
    op.drop_column("original", "focus")
    for name in ("limits", "reference_ttl_s", "hints", "wide", "crisp", "linear"):
        op.drop_column("tenant", name)
