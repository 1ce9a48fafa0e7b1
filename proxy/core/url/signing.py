"""Seals: the signature at the end of a URL.

`s = base64url(HMAC-SHA256(HMAC-SHA256(secret, "darkroom.url"), text))` without padding, where `text` is the raw path
plus `?e={unix}` where there is one. itsdangerous makes the same seal: `Signer(secret, salt="darkroom.url",
key_derivation="hmac", digest_method=sha256).get_signature(text)`; the tests hold us to it. Comparison is of canonical
text in constant time: base64 has several spellings of one digest, a seal has one.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

SALT = b"darkroom.url"
SEAL_LENGTH = 43


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key derived from one of a tenant's secrets; it hides itself in `repr`."""

    key: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: str) -> "SigningKey":
        """Derive the key from a secret's UTF-8 bytes."""
        return cls(hmac.digest(secret.encode(), SALT, sha256))

    def seal(self, text: str) -> str:
        """Seal `text` (ASCII): 43 characters of base64url."""
        return urlsafe_b64encode(hmac.digest(self.key, text.encode("ascii"), sha256))[:SEAL_LENGTH].decode("ascii")


NO_KEY = SigningKey(bytes(32))
"""Stands in for an unknown tenant's key, so that its refusal costs the same work."""


def verify(keys: Iterable[SigningKey], text: str, seal: str) -> bool:
    """Tell whether any of the keys made the seal; every key is tried, whichever fits."""
    given = seal.encode("utf-8", "replace")
    held = [hmac.compare_digest(key.seal(text).encode("ascii"), given) for key in keys]
    return any(held)
