"""Seals: the signatures of URLs.

`s = base64url(HMAC-SHA256(HMAC-SHA256(secret, "darkroom.url"), text))` without padding, where `text` is the raw path
plus `?e={unix}` if the link expires. itsdangerous computes the same signature: `Signer(secret, salt="darkroom.url",
key_derivation="hmac", digest_method=sha256).get_signature(text)`; the tests verify it. Seals are compared as text, in
constant time: base64 has several encodings of the same digest, of which only the canonical one is accepted.
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
    """A key that is derived from a secret of a tenant; `repr` does not contain it."""

    key: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: str) -> "SigningKey":
        """Return the key that is derived from the UTF-8 bytes of a secret."""
        return cls(hmac.digest(secret.encode(), SALT, sha256))

    def seal(self, text: str) -> str:
        """Return the seal of `text`, which must be ASCII: 43 characters of base64url."""
        return urlsafe_b64encode(hmac.digest(self.key, text.encode("ascii"), sha256))[:SEAL_LENGTH].decode("ascii")


NO_KEY = SigningKey(bytes(32))
"""Used instead of the keys of an unknown tenant, so that rejecting it takes the same time."""


def verify(keys: Iterable[SigningKey], text: str, seal: str) -> bool:
    """Return whether one of the keys created the seal. All keys are compared, to take the same time for each."""
    received = seal.encode("utf-8", "replace")
    matches = [hmac.compare_digest(key.seal(text).encode("ascii"), received) for key in keys]
    return any(matches)
