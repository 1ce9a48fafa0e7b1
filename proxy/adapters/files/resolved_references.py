"""Resolved references on a local disk: `{root}/references/{tenant}/{SHA-256 of the reference}`."""

import asyncio
import os
from functools import partial
from pathlib import Path

from proxy.adapters.files.atomic_folder import AtomicFolder
from proxy.core.identifiers import TenantName, tenant_name
from proxy.core.url.resolved_reference import ResolvedReference
from proxy.core.url.source_reference import Reference


class FileResolvedReferences:
    """Resolved references in a folder. Close it at the end."""

    def __init__(self, root: Path) -> None:
        self._folder = AtomicFolder(root / "references")

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Return what was put last; None if there is nothing, or if the file is damaged."""
        return await asyncio.wrap_future(self._folder.submit(partial(self._read, self._path(tenant, reference))))

    async def put(self, tenant: TenantName, reference: Reference, resolved: ResolvedReference) -> None:
        """Store a resolved reference in the place of the one before."""
        write = partial(self._folder.publish, self._path(tenant, reference), [resolved.pack()], os.replace)
        await asyncio.wrap_future(self._folder.submit(write))

    async def sweep(self, older_than_s: float = 3600.0) -> int:
        """Delete what killed processes left half-written. Return how many files there were."""
        return await self._folder.sweep(older_than_s)

    def close(self) -> None:
        """End the threads."""
        self._folder.close()

    def _path(self, tenant: TenantName, reference: Reference) -> Path:
        return self._folder.path / tenant_name(tenant) / reference.fingerprint

    @staticmethod
    def _read(path: Path) -> ResolvedReference | None:
        try:
            return ResolvedReference.unpack(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
