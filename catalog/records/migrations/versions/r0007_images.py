"""Images, versions, tags, collections, entities and their links."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "collection",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.String(2000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_collection_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
        sa.UniqueConstraint("tenant", "name", name="uq_collection_tenant_name"),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(255), nullable=True),
        sa.Column("file_name", sa.String(255), nullable=True),
        sa.Column("title", sa.String(255), nullable=True),
        sa.Column("alt_text", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("collection", sa.String(36), nullable=True),
        sa.Column("focus_x", sa.Float(), nullable=True),
        sa.Column("focus_y", sa.Float(), nullable=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("has_alpha", sa.Boolean(), nullable=False),
        sa.Column("orientation", sa.Integer(), nullable=False),
        sa.Column("taken_at", _MOMENT, nullable=True),
        sa.Column("camera", sa.String(255), nullable=True),
        sa.Column("copyright", sa.String(2000), nullable=True),
        sa.Column("location", _JSON, nullable=True),
        sa.Column("thumbhash", sa.String(64), nullable=True),
        sa.Column("color", sa.String(7), nullable=True),
        sa.Column("colors", _JSON, nullable=False),
        sa.Column("phash", sa.String(16), nullable=True),
        sa.Column("phash_0", sa.SmallInteger(), nullable=True),
        sa.Column("phash_1", sa.SmallInteger(), nullable=True),
        sa.Column("phash_2", sa.SmallInteger(), nullable=True),
        sa.Column("phash_3", sa.SmallInteger(), nullable=True),
        sa.Column("quality_score", sa.Integer(), nullable=True),
        sa.Column("quality", _JSON, nullable=True),
        sa.Column("optimized", _JSON, nullable=True),
        sa.Column("failed_parts", _JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("trashed_at", _MOMENT, nullable=True),
        sa.Column("trashed_from", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name="fk_image_collection"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_image_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("tenant", "original", name="uq_image_tenant_original"),
    )
    op.create_index("ix_image_tenant_collection", "image", ["tenant", "collection"], unique=False)
    op.create_index("ix_image_tenant_created", "image", ["tenant", "created_at", "id"], unique=False)
    op.create_index("ix_image_tenant_phash_0", "image", ["tenant", "phash_0"], unique=False)
    op.create_index("ix_image_tenant_phash_1", "image", ["tenant", "phash_1"], unique=False)
    op.create_index("ix_image_tenant_phash_2", "image", ["tenant", "phash_2"], unique=False)
    op.create_index("ix_image_tenant_phash_3", "image", ["tenant", "phash_3"], unique=False)
    op.create_index("ix_image_tenant_status", "image", ["tenant", "status"], unique=False)
    op.create_table(
        "image_version",
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["image"], ["image.id"], name="fk_image_version_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_image_version_tenant"),
        sa.PrimaryKeyConstraint("image", "number", name="pk_image_version"),
    )
    op.create_index("ix_image_version_tenant_original", "image_version", ["tenant", "original"], unique=False)
    op.create_table(
        "image_tag",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("image", sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(["image"], ["image.id"], name="fk_image_tag_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_image_tag_tenant"),
        sa.PrimaryKeyConstraint("tenant", "tag", "image", name="pk_image_tag"),
    )
    op.create_index("ix_image_tag_image", "image_tag", ["image"], unique=False)
    op.create_table(
        "entity",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_entity_tenant"),
        sa.PrimaryKeyConstraint("tenant", "type", "id", name="pk_entity"),
    )
    op.create_table(
        "entity_link",
        sa.Column("tenant", sa.String(31), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(255), nullable=False),
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["image"], ["image.id"], name="fk_entity_link_image", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant", "type", "entity"],
            ["entity.tenant", "entity.type", "entity.id"],
            name="fk_entity_link_tenant_type_entity",
        ),
        sa.PrimaryKeyConstraint("tenant", "type", "entity", "image", name="pk_entity_link"),
    )
    op.create_index("ix_entity_link_image", "entity_link", ["image"], unique=False)
    op.create_index(
        "uq_entity_link_primary",
        "entity_link",
        ["tenant", "type", "entity"],
        unique=True,
        sqlite_where=sa.text("is_primary = 1"),
        postgresql_where=sa.text("is_primary"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("entity_link")
    op.drop_table("entity")
    op.drop_table("image_tag")
    op.drop_table("image_version")
    op.drop_table("image")
    op.drop_table("collection")
