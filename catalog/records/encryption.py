"""Encryption of signing secrets and source credentials at rest.

Each value is a Fernet token (AES-128-CBC with HMAC-SHA256; https://github.com/fernet/spec) of one of the keys in
`DARKROOM_SECRET_KEYS`. The first key encrypts, all of them decrypt, so that a key can be replaced while the service
runs. Decrypting one token takes about 10 µs, so tokens are decrypted whenever a tenant is read and are not cached.

Uniqueness of a tenant's secrets is checked by a fingerprint: HMAC-SHA256 with a key derived from the encryption key.
Without that key a copy of the database does not even show whether a guessed secret is right.
"""

import hmac
from base64 import urlsafe_b64decode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from catalog.core.errors import Misconfigured, SecretsUnreadable
from catalog.records.home import read_or_create
from proxy.core.identifiers import TenantName
from proxy.settings import Settings

KEY_FILE = "secret.keys"
_FINGERPRINT = b"darkroom.fingerprint"


class SecretCipher:
    """Encrypts with the first of its keys and decrypts with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take base64 keys of 32 bytes each. Raise ValueError for a key of another shape, or for none."""
        if not keys:
            raise ValueError("no key is given")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._keys = [urlsafe_b64decode(key) for key in keys]
        self._fingerprint_keys = [hmac.digest(urlsafe_b64decode(key), _FINGERPRINT, "sha256") for key in keys]

    def encrypt(self, text: str) -> str:
        """Return a token of the newest key."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return the text of a token. Raise SecretsUnreadable if no key decrypts it."""
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise SecretsUnreadable(
                "A secret in the database is encrypted with a key that is not configured: add that key to "
                f"DARKROOM_SECRET_KEYS, or restore the file {KEY_FILE} of the home folder. "
                "If the key is lost, see docs/operations.md."
            ) from None

    def derive(self, purpose: str) -> list[bytes]:
        """Return one key of 32 bytes per key, for `purpose` alone; the newest last, as itsdangerous has it."""
        return [hmac.digest(key, f"darkroom.{purpose}".encode(), "sha256") for key in reversed(self._keys)]

    def fingerprints(self, tenant: TenantName, secret: str) -> list[str]:
        """Return the fingerprints of a tenant's secret, one per key, the newest key's first; 64 hex digits each."""
        message = f"{tenant}\0{secret}".encode()
        return [hmac.digest(key, message, "sha256").hex() for key in self._fingerprint_keys]


def new_key() -> str:
    """Return a new random key: 32 bytes in base64."""
    return Fernet.generate_key().decode()


def open_cipher(settings: Settings, *, embedded: bool) -> SecretCipher:
    """Return the cipher of an installation.

    Without `DARKROOM_SECRET_KEYS` an embedded installation reads its keys from a file in the home folder, which is
    created on first use. Raise Misconfigured if the keys are missing or malformed.
    """
    setting = settings.secret_keys.get_secret_value()
    if not setting and not embedded:
        raise Misconfigured(
            "DARKROOM_SECRET_KEYS is not set, and PostgreSQL stores secrets encrypted: create a key with "
            "darkroom secrets key and set it on every server."
        )
    text = setting or read_or_create(settings.home / KEY_FILE, new_key() + "\n")
    keys = [key for word in text.replace("\n", ",").split(",") if (key := word.strip())]
    try:
        return SecretCipher(keys)
    except ValueError:
        name = "DARKROOM_SECRET_KEYS" if setting else str(settings.home / KEY_FILE)
        raise Misconfigured(
            f"{name}: specify one or more keys of 32 bytes in base64, the newest first; "
            "darkroom secrets key prints a new one."
        ) from None
