"""The table that states which versions of the code may use the schema."""

from sqlmodel import Field

from catalog.records.base import NAME_LENGTH, Record


class SchemaCompatibility(Record, table=True):
    """One row: the revision of the oldest code that works with the schema as it is (`migrations.SchemaVersion`)."""

    __tablename__ = "schema_compatibility"

    oldest_revision: str = Field(primary_key=True, max_length=NAME_LENGTH)
