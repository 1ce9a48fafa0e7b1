"""Derivatives on a local disk: `{root}/derivatives/{key}`, each one serialized value.

A derivative can be made again, so it is never fsynced: what a power cut tears no longer matches its digest, which is a
miss. The folder has a budget of bytes (`proxy.adapters.files.disk_budget`). When a file was last used is its mtime, as
mounts often record no atime; a read renews it once an hour at most, so that a hit costs no write.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from proxy.adapters.files.atomic_folder import AtomicFolder
from proxy.adapters.files.disk_budget import DiskBudget
from proxy.adapters.files.tree import delete, disk_bytes, list_folders, remove_empty_folders, walk
from proxy.adapters.serialization import MAX_OVERHEAD_BYTES, deserialize, serialize
from proxy.core.identifiers import DerivativeKey, Digest, TenantName, derivative_key, digest_name, tenant_name
from proxy.core.media.derivative import Derivative
from proxy.ports import Deleted

_RENEW_S = 3600.0


class FileDerivatives:
    """Derivatives in a folder, each with a body of at most `max_bytes`, together at most `budget_bytes` (0: unlimited).

    Close it at the end.
    """

    name = "files"

    def __init__(
        self, root: Path, max_bytes: int, budget_bytes: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = AtomicFolder(root / "derivatives", durable=False)
        self._max_bytes = max_bytes
        self._clock = clock
        self._budget = DiskBudget(self._folder.path, budget_bytes, clock)
        self._budget.start()

    @property
    def used_bytes(self) -> int:
        """What the derivatives take on disk, as far as is known; 0 where there is no budget."""
        return self._budget.used_bytes

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what was put. A damaged file is deleted, so that a whole one can take its place."""
        path = self._folder.path / derivative_key(key)
        return await asyncio.wrap_future(self._folder.submit(partial(self._get, path, key)))

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative unless there is one. Decline it if it is too large, or if there is no room now."""
        path = self._folder.path / derivative_key(key)
        if len(derivative.body) <= self._max_bytes:
            await asyncio.wrap_future(self._folder.submit(partial(self._put, path, key, derivative)))

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete the derivatives of a tenant, or of one of its originals."""
        folders = partial(self._folders_of, tenant_name(tenant), original and digest_name(original))
        return await asyncio.wrap_future(
            self._folder.submit(lambda: sum(self._delete(folder).count for folder in folders()))
        )

    async def list_folders(self, prefix: str = "") -> list[str]:
        """See `DerivativeStore`."""
        return await asyncio.wrap_future(self._folder.submit(partial(list_folders, self._folder.path / prefix)))

    async def delete_folder(self, prefix: str, *, dry_run: bool = False) -> Deleted:
        """See `DerivativeStore`."""
        folder = self._folder.path / prefix
        return await asyncio.wrap_future(self._folder.submit(partial(self._delete, folder, dry_run=dry_run)))

    async def ping(self) -> None:
        """Return if the folder can be written to."""
        await self._folder.ping()

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written. Return how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._budget.close()
        self._folder.close()

    def _get(self, path: Path, key: DerivativeKey) -> Derivative | None:
        try:
            with path.open("rb", buffering=0) as file:
                status, now_s = os.fstat(file.fileno()), self._clock()
                # what is larger than any derivative is cut, and then damaged
                derivative = deserialize(key, file.read(min(status.st_size, self._max_bytes + MAX_OVERHEAD_BYTES)))
                if now_s - status.st_mtime > _RENEW_S:
                    with suppress(OSError):  # a read-only mount still answers
                        os.utime(file.fileno(), (now_s, now_s))
                return derivative
        except FileNotFoundError:
            return None
        except ValueError:
            if delete(path, self._folder.path):
                self._budget.release(disk_bytes(status.st_size))
            return None

    def _put(self, path: Path, key: DerivativeKey, derivative: Derivative) -> None:
        if path.exists():
            return
        value = serialize(key, derivative)
        if not self._budget.reserve(len(value)):
            return
        written = False
        try:
            written = self._folder.publish(path, [value])
        finally:
            settle = self._budget.confirm if written else self._budget.cancel
            settle(len(value))

    def _folders_of(self, tenant: TenantName, original: Digest | None) -> list[Path]:
        """Return the folders of a tenant, or those of an original in each renderer version and cache epoch."""
        tenants = [self._folder.path / version / tenant for version in list_folders(self._folder.path)]
        if original is None:
            return tenants
        return [folder / epoch / original[:2] / original for folder in tenants for epoch in list_folders(folder)]

    def _delete(self, folder: Path, *, dry_run: bool = False) -> Deleted:
        count = size_bytes = 0
        for file in walk(folder):
            if dry_run or delete(file.path, folder):
                count, size_bytes = count + 1, size_bytes + file.size_bytes
        if not dry_run:
            remove_empty_folders(folder, self._folder.path)
            self._budget.release(size_bytes)
        return Deleted(count, size_bytes)
