"""A file on its way from staging to its record: stored, and stored again if it was deleted in between."""

import asyncio
from dataclasses import dataclass
from typing import Final

from proxy.core.errors import Unavailable
from proxy.core.identifiers import TenantName
from proxy.delivery.staging import StagedFile
from proxy.ports import OpenOriginal, Originals

_ENSURE_S: Final = 15.0
"""How long a row is locked at most while it is made sure that its bytes are stored."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A staged file and where it was stored."""

    originals: Originals
    tenant: TenantName
    staged: StagedFile

    async def put(self) -> None:
        """Store the file under its digest. Raise Unavailable if it is closed."""
        with self._open() as original:
            await self.originals.put(self.tenant, self.staged.digest, original)

    async def ensure(self) -> None:
        """Store the file again if it was deleted meanwhile. Raise Unavailable if that takes too long."""
        try:
            async with asyncio.timeout(_ENSURE_S):
                if not await self.originals.contains(self.tenant, self.staged.digest):
                    await self.put()
        except TimeoutError:
            raise Unavailable("The picture store does not respond.") from None

    def _open(self) -> OpenOriginal:
        try:
            return self.staged.open()
        except ValueError:
            raise Unavailable("The same bytes were deleted at this moment. Upload the file again.") from None
