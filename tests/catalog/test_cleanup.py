"""Derivatives that no request can reach: found by their folders, counted, deleted; nothing else is."""

import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from catalog.cleanup.service import CleanedFolder, clean_derivatives
from catalog.records.database import Database
from proxy.adapters.files import FileDerivatives
from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName, tenant_name
from proxy.ports import Deleted, DerivativeStore
from tests.adapters.samples import ACME, LIMIT_BYTES, OTHER, PICTURE, key
from tests.catalog.services import begin_cache_epoch, create_tenant
from tests.program.server import Home

VERSION = "5-8.18.7"
GONE = tenant_name("gone")
REACHABLE = [key("one", epoch=2), key("two", epoch=2), key("one", epoch=3), key("one", OTHER)]
"""An epoch after the tenant's began after the tenants were read."""
UNREACHABLE = [
    key("one", epoch=0),
    key("one", epoch=1),
    key("two", epoch=1),
    key("one", GONE),
    key("one", version="4-8.18.6"),
    key("one", OTHER, version="4-8.18.6"),
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileDerivatives]:
    """Provide a store with derivatives of two versions, three tenants and several epochs."""
    derivatives = FileDerivatives(tmp_path / "home", LIMIT_BYTES)
    for name in (*REACHABLE, *UNREACHABLE):
        await derivatives.put(name, PICTURE)
    yield derivatives
    derivatives.close()


@pytest.fixture
async def tenants(database: Database) -> Database:
    """Provide a database with the tenants acme, purged twice, and other."""
    for tenant in (ACME, OTHER):
        await create_tenant(database, tenant, "correct-horse-battery-staple")
    for _ in range(2):
        await begin_cache_epoch(database, ACME)
    return database


async def clean(
    store: DerivativeStore, database: Database, versions: Collection[str] = (VERSION,), *, dry_run: bool = False
) -> list[CleanedFolder]:
    return [folder async for folder in clean_derivatives(store, database, versions, dry_run=dry_run)]


async def test_what_no_request_can_reach_is_deleted_and_nothing_else(store: FileDerivatives, tenants: Database) -> None:
    cleaned = await clean(store, tenants)
    assert {(folder.folder, folder.reason, folder.deleted.count) for folder in cleaned} == {
        ("4-8.18.6", "renderer version", 2),
        ("5-8.18.7/gone", "tenant", 1),
        ("5-8.18.7/acme/0", "cache epoch", 1),
        ("5-8.18.7/acme/1", "cache epoch", 2),
    }
    assert [await store.get(name) for name in UNREACHABLE] == [None] * len(UNREACHABLE)
    assert [await store.get(name) for name in REACHABLE] == [PICTURE] * len(REACHABLE)
    assert await clean(store, tenants) == []


async def test_a_dry_run_counts_the_same_and_deletes_nothing(store: FileDerivatives, tenants: Database) -> None:
    counted = await clean(store, tenants, dry_run=True)
    assert [await store.get(name) for name in UNREACHABLE] == [PICTURE] * len(UNREACHABLE)
    assert counted == await clean(store, tenants)


async def test_a_version_that_is_kept_is_not_deleted(store: FileDerivatives, tenants: Database) -> None:
    cleaned = await clean(store, tenants, (VERSION, "4-8.18.6"), dry_run=True)
    assert "4-8.18.6" not in {folder.folder for folder in cleaned}


class InterruptedStore(FileDerivatives):
    """A store that fails after two folders."""

    folders_left = 2

    async def delete_folder(self, prefix: str, *, dry_run: bool = False) -> Deleted:
        if not self.folders_left:
            raise Unavailable("out")
        self.folders_left -= 1
        return await super().delete_folder(prefix, dry_run=dry_run)


async def test_a_run_that_fails_is_continued_by_the_next(
    store: FileDerivatives, tenants: Database, tmp_path: Path
) -> None:
    interrupted = InterruptedStore(tmp_path / "home", LIMIT_BYTES)
    with pytest.raises(Unavailable):
        await clean(interrupted, tenants)
    assert len(await clean(store, tenants)) == 2
    assert [await store.get(name) for name in UNREACHABLE] == [None] * len(UNREACHABLE)
    interrupted.close()


async def test_a_tenant_that_is_created_meanwhile_is_not_deleted(store: FileDerivatives, tenants: Database) -> None:
    class Slow(FileDerivatives):
        async def list_folders(self, prefix: str = "") -> list[str]:
            names = await store.list_folders(prefix)
            if prefix == f"{VERSION}/{GONE}":
                await create_tenant(tenants, TenantName(GONE), "correct-horse-battery-staple")
            return names

    slow = Slow(store._folder.path.parent, LIMIT_BYTES)
    assert f"{VERSION}/{GONE}" not in {folder.folder for folder in await clean(slow, tenants)}
    assert await store.get(key("one", GONE)) == PICTURE
    slow.close()


def test_the_command_counts_deletes_and_keeps(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.create_tenant()
    stale = home.folder / "derivatives" / key("one", version="4-8.18.6")
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"x")
    kept = home.run("cleanup", "derivatives", "--keep", "4-8.18.6", "--keep", "5-8.18.7", "--json")
    assert (kept.returncode, kept.stdout) == (0, "")
    counted = home.run("cleanup", "derivatives", "--dry-run")
    assert counted.returncode == 0
    assert counted.stdout.splitlines() == [
        "4-8.18.6: 1 derivatives with 4096 bytes (old or unknown renderer version)",
        "Would delete 1 derivatives with 4096 bytes.",
    ]
    assert stale.exists()
    deleted = home.run("cleanup", "derivatives", "--json")
    assert [json.loads(line) for line in deleted.stdout.splitlines()] == [
        {
            "folder": "4-8.18.6",
            "reason": "renderer version",
            "derivatives": 1,
            "size_bytes": 4096,
            "state": "deleted",
        }
    ]
    assert not stale.exists()
    assert home.run("cleanup", "derivatives", "--keep", "../x").returncode == 2
