"""The history of the schema, inside the package, so that an installed wheel migrates without any other file.

Revisions are numbers, so that code can compare a revision it does not know with its own. A migration is additive within
a release (new tables, new columns with a server default): older code keeps working with the new schema. A migration
that older code does not work with writes its own number to the table `schema_compatibility`.

Reading the version takes no Alembic, so a start with an up-to-date schema does not import it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from catalog.core.errors import NotMigrated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

HEAD = "0011"
"""The revision this version of the code is written for."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a migration; `before` is None for an empty database."""

    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The version of a database's schema."""

    revision: str | None
    """None before the first migration."""
    oldest_revision: str | None
    """HEAD of the oldest code that works with the schema; None in a schema from before this was recorded."""

    @property
    def is_newer(self) -> bool:
        """Whether the schema is newer than this version of the code, or unknown to it."""
        return self.revision is not None and _number(self.revision) > int(HEAD)

    def check_supported(self) -> None:
        """Raise NotMigrated if this version of the code is too old for the schema."""
        if self.oldest_revision is None or _number(self.oldest_revision) > int(HEAD):
            raise NotMigrated(
                f"The database is at revision {self.revision}, which this version (revision {HEAD}) does not support: "
                "install a newer version of darkroom."
            )


def read_version(connection: "Connection") -> SchemaVersion:
    """Read the version inside a transaction."""
    inspector = inspect(connection)
    if not inspector.has_table("alembic_version"):
        return SchemaVersion(None, None)
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if not inspector.has_table("schema_compatibility"):
        return SchemaVersion(revision, None)
    oldest = connection.execute(text("SELECT oldest_revision FROM schema_compatibility")).scalar_one_or_none()
    return SchemaVersion(revision, oldest)


def _number(revision: str) -> int:
    """Return a revision as a number; a foreign revision counts as newer than all of ours."""
    return int(revision) if revision.isascii() and revision.isdigit() else 2**63
