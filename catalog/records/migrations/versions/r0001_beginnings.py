"""Tenants, their secrets, originals and derivatives."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the first four tables."""
    op.create_table(
        "tenant",
        sa.Column("name", sa.String(31), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenant"),
    )
    _create_secret()
    _create_original()
    _create_derivative()


def _create_secret() -> None:
    op.create_table(
        "secret",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("secret", sa.String(256), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("retired_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_secret"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_secret_tenant"),
        sa.UniqueConstraint("tenant", "secret", name="uq_secret_tenant_secret"),
    )


def _create_original() -> None:
    op.create_table(
        "original",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("orientation", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Boolean(), nullable=False),
        sa.Column("icc", sa.Boolean(), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sha256", name="pk_original"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_original_tenant"),
    )


def _create_derivative() -> None:
    op.create_table(
        "derivative",
        sa.Column("key", sa.String(161), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("recipe", sa.String(2048), nullable=False),
        sa.Column("format", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("render_ms", sa.Float(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_derivative"),
        sa.ForeignKeyConstraint(
            ["tenant", "original"],
            ["original.tenant", "original.sha256"],
            name="fk_derivative_tenant_original",
        ),
    )
    op.create_index("ix_derivative_tenant_original", "derivative", ["tenant", "original"])


def downgrade() -> None:
    """Drop all four tables, children first."""
    for table in ("derivative", "original", "secret", "tenant"):
        op.drop_table(table)
