"""Sealed URLs for the bytes of direct uploads on disk: the seal holds the upload, its size and its end.

The seal is itsdangerous's, with a key of the installation; whoever has the URL may send exactly these bytes, and nobody
can make one for another upload or size.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from catalog.core.api_errors import NotPermitted

MAX_LENGTH: Final = 512
_SALT: Final = "darkroom.upload"


@dataclass(frozen=True, slots=True)
class ContentGrant:
    """What a URL allows: to send `size_bytes` as the content of an upload before `expires_at` (Unix seconds)."""

    tenant: str
    upload: str
    size_bytes: int
    expires_at: int


class ContentSealer:
    """Seals and opens grants; the last of `secrets` seals, all of them open."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._serializer = URLSafeSerializer(list(secrets), salt=_SALT, signer_kwargs={"digest_method": sha256})

    def seal(self, grant: ContentGrant) -> str:
        """Return the seal of a grant."""
        return str(self._serializer.dumps(astuple(grant)))

    def open(self, seal: str, upload: str, at: float) -> ContentGrant:
        """Return the grant of a seal. Raise NotPermitted if it is not for this upload, or has expired at `at`."""
        try:
            grant = ContentGrant(*self._serializer.loads(seal[:MAX_LENGTH]))
        except (BadData, ValueError, TypeError):
            grant = None
        if grant is None or grant.upload != upload or grant.expires_at <= at:
            raise NotPermitted("The seal of the URL is missing, wrong or expired: create a new upload.")
        return grant
