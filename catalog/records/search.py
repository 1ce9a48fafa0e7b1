"""What images are found by: their words, their folded texts, their colours. Derived, and made again at any time."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, SmallInteger, String, Text
from sqlmodel import Field

from catalog.records.base import TENANT_LENGTH, Record
from catalog.records.image import ID_LENGTH

TERM_LENGTH = 64

Term = String(TERM_LENGTH).with_variant(String(TERM_LENGTH, collation="C"), "postgresql")
"""A folded word, ordered by its bytes on both databases, so that an index finds what begins with a word."""

Name = Text().with_variant(Text(collation="C"), "postgresql")
"""A folded name; lists are ordered by it."""


class SearchTerm(Record, table=True):
    """One word of one image; `fields` are the bits of the fields that have it, `weight` is what it counts."""

    __tablename__ = "search_term"
    __table_args__ = (
        ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),
        Index("ix_search_term_image", "image"),
    )

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    term: str = Field(sa_column=Column(Term, primary_key=True))
    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    fields: int = Field(sa_column=Column(SmallInteger, nullable=False))
    weight: int = Field(sa_column=Column(SmallInteger, nullable=False))


class SearchVariant(Record, table=True):
    """A word of a tenant's images without one of its letters, so that misspelled words are found by equality."""

    __tablename__ = "search_variant"

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    variant: str = Field(sa_column=Column(Term, primary_key=True))
    term: str = Field(sa_column=Column(Term, primary_key=True))


class SearchText(Record, table=True):
    """The folded texts of one image: words with a blank before and behind each, tags and values one a line."""

    __tablename__ = "search_text"
    __table_args__ = (ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),)

    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", index=True, max_length=TENANT_LENGTH)
    name: str = Field(sa_column=Column(Name, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    alt: str = Field(sa_column=Column(Text, nullable=False))
    caption: str = Field(sa_column=Column(Text, nullable=False))
    tag: str = Field(sa_column=Column(Text, nullable=False))
    meta: str = Field(sa_column=Column(Text, nullable=False))


class ImageColor(Record, table=True):
    """One dominant colour of an image, in thousandths of Oklab; place 0 is the most frequent."""

    __tablename__ = "image_color"
    __table_args__ = (ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),)

    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    place: int = Field(primary_key=True)
    tenant: str = Field(foreign_key="tenant.name", index=True, max_length=TENANT_LENGTH)
    lightness: int = Field(sa_column=Column(SmallInteger, nullable=False))
    a: int = Field(sa_column=Column(SmallInteger, nullable=False))
    b: int = Field(sa_column=Column(SmallInteger, nullable=False))


class NearDuplicate(Record, table=True):
    """Two images of a tenant that look nearly the same; each pair is here in both directions."""

    __tablename__ = "near_duplicate"
    __table_args__ = (
        ForeignKeyConstraint(["image"], ["image.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["other"], ["image.id"], ondelete="CASCADE"),
        Index("ix_near_duplicate_tenant", "tenant"),
        Index("ix_near_duplicate_other", "other"),
    )

    image: str = Field(primary_key=True, max_length=ID_LENGTH)
    other: str = Field(primary_key=True, max_length=ID_LENGTH)
    tenant: str = Field(foreign_key="tenant.name", max_length=TENANT_LENGTH)
    distance: int = Field(sa_column=Column(SmallInteger, nullable=False))
    """Bits in which the perceptual hashes differ, of 64."""
