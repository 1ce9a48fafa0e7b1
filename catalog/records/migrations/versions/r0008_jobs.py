"""Jobs, lanes, schedules, batch items and upload sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "job",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("parameters", _JSON, nullable=False),
        sa.Column("result", _JSON, nullable=True),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=True),
        sa.Column("worker", sa.String(255), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("run_at", _MOMENT, nullable=False),
        sa.Column("dedupe_key", sa.String(255), nullable=True),
        sa.Column("image", sa.String(36), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_job_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index(
        "ix_job_finished",
        "job",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_job_image", "job", ["image"], unique=False)
    op.create_index(
        "ix_job_lease",
        "job",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_job_ready",
        "job",
        ["tenant", "priority", "run_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_job_tenant_created", "job", ["tenant", "created_at", "id"], unique=False)
    op.create_index(
        "uq_job_dedupe",
        "job",
        ["tenant", "dedupe_key"],
        unique=True,
        sqlite_where=sa.text("dedupe_key IS NOT NULL AND state IN ('queued', 'running')"),
        postgresql_where=sa.text("dedupe_key IS NOT NULL AND state IN ('queued', 'running')"),
    )
    op.create_table(
        "lane",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("ready", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("served_at", _MOMENT, nullable=False),
        sa.Column("oldest_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_lane_tenant"),
        sa.PrimaryKeyConstraint("tenant", "priority", name="pk_lane"),
    )
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_schedule"),
    )
    op.create_table(
        "batch_item",
        sa.Column("job", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("result", _JSON, nullable=True),
        sa.ForeignKeyConstraint(["job"], ["job.id"], name="fk_batch_item_job", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_batch_item_tenant"),
        sa.PrimaryKeyConstraint("job", "position", name="pk_batch_item"),
    )
    op.create_index("ix_batch_item_state", "batch_item", ["job", "state", "position"], unique=False)
    op.create_table(
        "upload_session",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("received_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("image", sa.String(36), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_upload_session_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_upload_session"),
    )
    op.create_index("ix_upload_session_expires", "upload_session", ["expires_at"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("upload_session")
    op.drop_table("batch_item")
    op.drop_table("schedule")
    op.drop_table("lane")
    op.drop_table("job")
