"""A row for any table, made of the types of its columns: tests of all tables need no list of them."""

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.types import TypeDecorator

from catalog.records.row_security import tenant_column

_VALUES: dict[type, Any] = {
    bool: False,
    int: 1,
    float: 0.5,
    datetime: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    date: date(2026, 1, 2),
    bytes: b"bytes",
    object: {},  # JSON
}


def row_of(table: Table, tenant: str) -> dict[str, Any]:
    """Return values for the columns that need one. Texts differ between tenants, so that nothing collides."""
    row = {column.name: _value(column, tenant) for column in table.columns if _needs_value(column, table)}
    return row | {str(tenant_column(table)): tenant}


def _needs_value(column: Column[Any], table: Table) -> bool:
    if column.computed is not None or (column is table.autoincrement_column and column.primary_key):
        return False
    return column.primary_key or not column.nullable


def _value(column: Column[Any], tenant: str) -> Any:  # noqa: ANN401
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = stored.python_type
    if kind is str:
        longest = getattr(stored, "length", None) or 64
        return sha256(f"{tenant} {column.name}".encode()).hexdigest()[:longest]
    return _VALUES[kind]
