"""Cursors: where a list goes on, sealed, and bound to its query and tenant.

A cursor holds the sort values and the id of the last item (keyset paging), so inserts while paging neither skip nor
repeat what was there. It is sealed by itsdangerous, so nobody can make one that reads past a filter.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from catalog.core.api_errors import InvalidCursor
from proxy.core.identifiers import TenantName

MAX_LENGTH = 1_024
_SHAPE = re.compile(r"[A-Za-z0-9_.-]{1,1024}")
_SALT = "darkroom.cursor"

Position = list[Any]
"""Sort values and id of the last item of a page."""


class CursorSealer:
    """Seals and opens cursors; the last of `secrets` seals, all of them open."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._serializer = URLSafeSerializer(list(secrets), salt=_SALT, signer_kwargs={"digest_method": sha256})

    def seal(self, position: Position, tenant: TenantName, query: str) -> str:
        """Return a cursor behind `position` in the list that `query` (its canonical text) describes."""
        return str(self._serializer.dumps([_fingerprint(tenant, query), position]))

    def open(self, cursor: str, tenant: TenantName, query: str) -> Position:
        """Return the position that a cursor holds. Raise InvalidCursor for one of another query, tenant or secret."""
        if not _SHAPE.fullmatch(cursor):
            raise InvalidCursor
        try:
            fingerprint, position = self._serializer.loads(cursor)
        except (BadData, ValueError, TypeError):
            raise InvalidCursor from None
        if fingerprint != _fingerprint(tenant, query) or not isinstance(position, list):
            raise InvalidCursor
        return position


def _fingerprint(tenant: TenantName, query: str) -> str:
    return sha256(f"{tenant}\n{query}".encode()).hexdigest()[:16]
