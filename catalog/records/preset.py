"""The table of presets."""

from datetime import datetime

from sqlmodel import Field

from catalog.records.base import JSON_LENGTH, NAME_LENGTH, RECIPE_LENGTH, TENANT_LENGTH, Record, UtcDateTime, now


class Preset(Record, table=True):
    """One version of a named recipe; the highest version is in effect."""

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    name: str = Field(primary_key=True, max_length=NAME_LENGTH)
    version: int = Field(primary_key=True)
    recipe: str | None = Field(default=None, max_length=RECIPE_LENGTH)
    """None if this version deleted the preset."""
    unsigned: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ladder: str | None = Field(default=None, max_length=JSON_LENGTH)
    """JSON object of an unsigned preset: `widths` and `dprs` that are served without a seal. None means neither."""
