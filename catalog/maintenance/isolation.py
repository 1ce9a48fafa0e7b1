"""Whether PostgreSQL keeps tenants apart: what the doctor tells about roles and policies."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text

from catalog.records.database import Database
from catalog.records.row_security import APPEND_ONLY, POLICY, tenant_column
from catalog.records.tables import Record


@dataclass(frozen=True, slots=True)
class Isolation:
    """The application's role, and how row-level security treats it."""

    role: str
    superuser: bool
    bypasses: bool
    """Whether the role has the attribute BYPASSRLS."""
    owned: tuple[str, ...]
    """Tables that the role owns: policies do not restrict an owner."""
    open_tables: tuple[str, ...]
    """Tables with a tenant that have no policy."""
    unrestricted: tuple[str, ...]
    """Tables whose policies do not restrict this role."""
    changeable: tuple[str, ...]
    """Append-only tables whose rows the role may change or delete."""

    @property
    def is_whole(self) -> bool:
        """Whether the database refuses what forgets the tenant."""
        return not (self.unrestricted or self.open_tables or self.changeable)


async def read_isolation(database: Database) -> Isolation:
    """Read what holds for the role of this connection."""
    async with database.reading() as session:
        who = text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        role, superuser, bypasses = (await session.execute(who)).one()
        rows = {row.relname: row for row in await session.execute(text(_TABLES), {"policy": POLICY})}
    tables = [table.name for table in Record.metadata.sorted_tables if tenant_column(table) is not None]

    def where(column: str, *, is_: bool, names: Iterable[str] = tables) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if name in rows and getattr(rows[name], column) is is_))

    return Isolation(
        role=role,
        superuser=superuser,
        bypasses=bypasses,
        owned=where("owned", is_=True),
        open_tables=where("has_policy", is_=False),
        unrestricted=where("active", is_=False),
        changeable=where("changeable", is_=True, names=APPEND_ONLY),
    )


_TABLES = """
SELECT c.relname, pg_has_role(c.relowner, 'USAGE') AS owned, row_security_active(c.oid) AS active,
       c.relrowsecurity AND EXISTS
           (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy) AS has_policy,
       has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') AS changeable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'r'
"""
