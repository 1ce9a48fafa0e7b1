"""Deletion of stored derivatives that no request can reach any more.

A derivative's key begins with renderer version, tenant and cache epoch, so what an upgrade, a purge or the deletion of
a tenant has made unreachable is a folder:

    {renderer version that is not kept}/
    {kept version}/{tenant that does not exist}/
    {kept version}/{tenant}/{epoch before the tenant's}/

Each folder is deleted by itself: when the work is interrupted, the next run continues with the rest. Folders are listed
before the tenants are read, so a tenant that is created, or an epoch that begins, meanwhile is not mistaken for an
unreachable one.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlmodel import col, select

from catalog.records.database import Database
from catalog.records.tables import Tenant
from catalog.records.tenant_scope import every_tenant
from proxy.core.identifiers import RENDERER_VERSION, RendererVersion, TenantName
from proxy.ports import Deleted, DerivativeStore
from proxy.settings import Settings
from proxy.workers.pool import open_pool

Reason = Literal["renderer version", "tenant", "cache epoch"]


@dataclass(frozen=True, slots=True)
class UnreachableFolder:
    """A folder of derivatives that no request can reach, and which part of its name is the reason."""

    folder: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class CleanedFolder:
    """An unreachable folder, and what was in it."""

    folder: str
    reason: Reason
    deleted: Deleted


async def find_renderer_version(settings: Settings) -> RendererVersion:
    """Return the renderer version of this installation: start a worker, which reports its part of it."""
    async with open_pool(settings.model_copy(update={"workers": 1})) as pool:
        return pool.renderer_version


async def clean_derivatives(
    store: DerivativeStore, database: Database, kept_versions: Collection[str], *, dry_run: bool = False
) -> AsyncIterator[CleanedFolder]:
    """Delete the unreachable derivatives folder by folder, or only count them; yield each folder when it is done.

    `kept_versions` are the renderer versions that servers use. Raise Unavailable if the store or the database fails.
    """
    async for unreachable in _find_unreachable(store, database, kept_versions):
        deleted = await store.delete_folder(unreachable.folder, dry_run=dry_run)
        yield CleanedFolder(unreachable.folder, unreachable.reason, deleted)


async def _find_unreachable(
    store: DerivativeStore, database: Database, kept_versions: Collection[str]
) -> AsyncIterator[UnreachableFolder]:
    for version in await store.list_folders():
        if version not in kept_versions:
            if RENDERER_VERSION.fullmatch(version):  # anything else is not a folder of ours
                yield UnreachableFolder(version, "renderer version")
            continue
        tenants = await store.list_folders(version)
        epochs_of = {tenant: await store.list_folders(f"{version}/{tenant}") for tenant in tenants}
        current_of = await _read_cache_epochs(database)
        for tenant, epochs in epochs_of.items():
            current = current_of.get(TenantName(tenant))
            if current is None:
                yield UnreachableFolder(f"{version}/{tenant}", "tenant")
                continue
            for epoch in epochs:
                if epoch.isdecimal() and int(epoch) < current:
                    yield UnreachableFolder(f"{version}/{tenant}/{epoch}", "cache epoch")


async def _read_cache_epochs(database: Database) -> Mapping[TenantName, int]:
    with every_tenant():
        async with database.reading() as session:
            rows = await session.execute(select(col(Tenant.name), col(Tenant.cache_epoch)))
            return {TenantName(name): epoch for name, epoch in rows}
