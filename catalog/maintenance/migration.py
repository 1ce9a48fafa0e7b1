"""Migration of the installation's database, as the owner of its tables."""

from catalog.records.database import MIGRATION_TIMEOUT_S, connect_database, database_url
from catalog.records.migrations import Migrated
from catalog.records.migrations.upgrade import migrate_and_secure
from catalog.records.row_security import ApplicationRole, Secured
from proxy.settings import Settings


async def migrate_installation(settings: Settings) -> tuple[Migrated, Secured]:
    """Migrate the database, as the owner where the settings name one, and secure it for the application's role.

    Raise Misconfigured for an invalid URL, or if the application's role is missing and cannot be made.
    """
    owner, application = settings, None
    if settings.migration_database_url:
        owner = settings.model_copy(update={"database_url": settings.migration_database_url})
        application = ApplicationRole.of(database_url(settings)) if settings.database_url else None
    async with connect_database(owner, command_timeout_s=MIGRATION_TIMEOUT_S) as database:
        return await migrate_and_secure(database, application)
