"""What images are found by: words, folded texts, colours."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0011"

_TERM = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.String(31), nullable=False)


def _belongs(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name=f"fk_{table}_tenant"),
        sa.ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE", name=f"fk_{table}_image"),
    ]


def upgrade() -> None:
    """Create the tables; `darkroom search rebuild` and the hourly sweep fill them for images that are there."""
    op.create_table(
        "search_term",
        _tenant(),
        sa.Column("term", _TERM, nullable=False),
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("fields", sa.SmallInteger(), nullable=False),
        sa.Column("weight", sa.SmallInteger(), nullable=False),
        *_belongs("search_term"),
        sa.PrimaryKeyConstraint("tenant", "term", "image", name="pk_search_term"),
    )
    op.create_index("ix_search_term_image", "search_term", ["image"])
    op.create_table(
        "search_variant",
        _tenant(),
        sa.Column("variant", _TERM, nullable=False),
        sa.Column("term", _TERM, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.name"], name="fk_search_variant_tenant"),
        sa.PrimaryKeyConstraint("tenant", "variant", "term", name="pk_search_variant"),
    )
    op.create_table(
        "search_text",
        sa.Column("image", sa.String(36), nullable=False),
        _tenant(),
        sa.Column("name", _NAME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("title", "alt", "caption", "tag", "meta")),
        *_belongs("search_text"),
        sa.PrimaryKeyConstraint("image", name="pk_search_text"),
    )
    op.create_index("ix_search_text_tenant", "search_text", ["tenant"])
    op.create_table(
        "image_color",
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        _tenant(),
        *(sa.Column(name, sa.SmallInteger(), nullable=False) for name in ("lightness", "a", "b")),
        *_belongs("image_color"),
        sa.PrimaryKeyConstraint("image", "place", name="pk_image_color"),
    )
    op.create_index("ix_image_color_tenant", "image_color", ["tenant"])
    op.create_table(
        "near_duplicate",
        sa.Column("image", sa.String(36), nullable=False),
        sa.Column("other", sa.String(36), nullable=False),
        _tenant(),
        sa.Column("distance", sa.SmallInteger(), nullable=False),
        *_belongs("near_duplicate"),
        sa.ForeignKeyConstraint(["other"], ["image.id"], ondelete="CASCADE", name="fk_near_duplicate_other"),
        sa.PrimaryKeyConstraint("image", "other", name="pk_near_duplicate"),
    )
    op.create_index("ix_near_duplicate_tenant", "near_duplicate", ["tenant"])
    op.create_index("ix_near_duplicate_other", "near_duplicate", ["other"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("near_duplicate", "image_color", "search_text", "search_variant", "search_term"):
        op.drop_table(table)
