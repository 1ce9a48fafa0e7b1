"""Daily usage: what was delivered and stored, per tenant, image and day."""

from datetime import date

from sqlalchemy import BigInteger, Column
from sqlmodel import Field

from catalog.records.base import DIGEST_LENGTH, TENANT_LENGTH, Record


def _count() -> Column[int]:
    return Column(BigInteger, nullable=False, server_default="0")


class DailyUsage(Record, table=True):
    """Counters of one original on one day (UTC); an empty original stands for what belongs to none."""

    __tablename__ = "daily_usage"

    tenant: str = Field(primary_key=True, foreign_key="tenant.name", max_length=TENANT_LENGTH)
    day: date = Field(primary_key=True)
    original: str = Field(primary_key=True, max_length=DIGEST_LENGTH)
    requests: int = Field(default=0, sa_column=_count())
    hits: int = Field(default=0, sa_column=_count())
    renders: int = Field(default=0, sa_column=_count())
    errors: int = Field(default=0, sa_column=_count())
    sent_bytes: int = Field(default=0, sa_column=_count())
    uploads: int = Field(default=0, sa_column=_count())
    uploaded_bytes: int = Field(default=0, sa_column=_count())
