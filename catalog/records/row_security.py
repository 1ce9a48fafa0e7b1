"""Row-level security on PostgreSQL: the application's role reaches the rows of the tenant that its transaction names.

Every table with a tenant has one policy. It lets a row through if its tenant is the transaction's `app.tenant`, or if
that is every tenant (`tenant_scope`). The owner of the tables is not subject to it: migrations and backups need all
rows, and servers of the last release, which name no tenant, run as the owner until the new release is everywhere. So
the policies protect those who run servers and workers as a role of their own.

What is here is repeated by each `darkroom migrate` and does only what is missing. So a table that a migration adds gets
its policy and its grants, and a role that is made later gets its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Table, text
from sqlalchemy.engine import URL

from catalog.core.errors import Misconfigured
from catalog.records.database_password import scram_verifier
from catalog.records.tables import Record
from catalog.records.tenant_scope import EVERY_TENANT

POLICY: Final = "tenant_isolation"
APPEND_ONLY: Final = frozenset({"audit_event"})
"""Tables whose rows the application may write and read, and never change or delete."""
_READ_ONLY: Final = ("alembic_version", "schema_compatibility")
_SETTING: Final = "current_setting('app.tenant', true)"
_IDENTIFIER_LENGTH: Final = 63


@dataclass(frozen=True, slots=True)
class ApplicationRole:
    """The role that servers, workers and commands log in as; it has a password unless the server asks for none."""

    name: str
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: URL) -> "ApplicationRole | None":
        """Return the role of a database URL, or None if the URL names none."""
        return cls(url.username, url.password) if url.username else None


@dataclass(frozen=True, slots=True)
class Secured:
    """What is in force after a migration."""

    roles: tuple[str, ...] = ()
    """Roles that are subject to the policies and may use the tables."""
    left_alone: tuple[str, ...] = ()
    """Roles that were given the tables by hand. No policy was made: servers that name no tenant may run as these."""


def tenant_column(table: Table) -> str | None:
    """Return the column that says whose a row is, or None for a table of the house."""
    if table.name == "tenant":
        return "name"
    return "tenant" if "tenant" in table.columns else None


def secure(connection: Connection, application: ApplicationRole | None = None) -> Secured:
    """Make the role, the policies and the grants that are missing, as the owner of the tables.

    Does nothing on SQLite, and for a role that does not own the tables. Raise Misconfigured if the application's role
    owns tables, or, with the SQL that an administrator has to run, if it is missing and must not be made by this one.
    """
    if connection.dialect.name != "postgresql" or not (tables := _own_tables(connection)):
        return Secured()
    user = connection.scalar(text("SELECT current_user"))
    if application is not None and application.name == user:
        application = None
    if application is not None:
        _ensure_role(connection, application)
        _check_is_no_owner(connection, application)
    roles = {*_users_of_tables(connection), *((application.name,) if application else ())}
    first = not any(secured for _, secured in tables.values())
    if first and application is None and roles:
        return Secured(left_alone=tuple(sorted(roles)))
    for table, secured in tables.values():
        if not secured and (column := tenant_column(table)) is not None:
            _run(connection, _policy_of(table.name, column))
    for role in sorted(roles):
        _run(connection, _grants_of(role, [table for table, _ in tables.values()]))
    return Secured(roles=tuple(sorted(roles)))


def _own_tables(connection: Connection) -> dict[str, tuple[Table, bool]]:
    """Return our tables that the current role owns, and whether each has its policy."""
    rows = connection.execute(
        text(
            "SELECT c.relname, c.relrowsecurity AND EXISTS"
            " (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')"
        ),
        {"policy": POLICY},
    )
    known = Record.metadata.tables
    return {name: (known[name], secured) for name, secured in rows if name in known}


def _users_of_tables(connection: Connection) -> Sequence[str]:
    """Return the roles, other than the owner, that may add tenants: the application's."""
    rows = connection.scalars(
        text(
            "SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee"
            " WHERE c.oid = to_regclass('tenant') AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner"
        )
    )
    return list(rows)


def _ensure_role(connection: Connection, role: ApplicationRole) -> None:
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": role.name}):
        return
    may_create = text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    attributes = f"CREATE ROLE {_quoted(role.name)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
    if not connection.scalar(may_create):
        raise Misconfigured(
            f"The role {role.name} does not exist, and this one may not create it. "
            f"An administrator has to run: {attributes} PASSWORD '…';"
        )
    # the server's log may show statements: it gets the verifier, not the password
    password = "" if role.password is None else f" PASSWORD '{scram_verifier(role.password)}'"
    _run(connection, [attributes + password])


def _check_is_no_owner(connection: Connection, role: ApplicationRole) -> None:
    owned = text(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace(current_schema())"
        " AND relowner = (SELECT oid FROM pg_roles WHERE rolname = :name)"
    )
    if connection.scalar(owned, {"name": role.name}):
        raise Misconfigured(
            f"The role {role.name} of DARKROOM_DATABASE_URL owns tables, and policies do not restrict an owner: "
            "name a new role there, and the owner in DARKROOM_MIGRATION_DATABASE_URL."
        )


def _policy_of(table: str, column: str) -> Iterator[str]:
    condition = f"{column} = {_SETTING} OR {_SETTING} = '{EVERY_TENANT}'"
    yield f"DROP POLICY IF EXISTS {POLICY} ON {_quoted(table)}"
    yield f"CREATE POLICY {POLICY} ON {_quoted(table)} USING ({condition}) WITH CHECK ({condition})"
    yield f"ALTER TABLE {_quoted(table)} ENABLE ROW LEVEL SECURITY"


def _grants_of(role: str, tables: Sequence[Table]) -> Iterator[str]:
    name = _quoted(role)
    for table in tables:
        if table.name in _READ_ONLY:
            continue
        if table.name in APPEND_ONLY:
            yield f"REVOKE ALL ON {_quoted(table.name)} FROM {name}"
            yield f"GRANT SELECT, INSERT ON {_quoted(table.name)} TO {name}"
            continue
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_quoted(table.name)} TO {name}"
        for column in table.primary_key.columns:
            if column is table.autoincrement_column:
                yield f"GRANT USAGE ON SEQUENCE {_quoted(f'{table.name}_{column.name}_seq')} TO {name}"
    for table_name in _READ_ONLY:
        yield f"GRANT SELECT ON {table_name} TO {name}"


def _quoted(name: str) -> str:
    """Return an identifier for SQL. Raise Misconfigured for one that PostgreSQL would cut or refuse."""
    if not 1 <= len(name.encode()) <= _IDENTIFIER_LENGTH or not name.isprintable():
        raise Misconfigured(f"{name[:80]!r} cannot be the name of a role: use 1–63 printable characters.")
    return '"' + name.replace('"', '""') + '"'


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
