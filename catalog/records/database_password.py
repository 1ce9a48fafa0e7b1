"""What PostgreSQL stores in place of a password: the SCRAM-SHA-256 verifier (RFC 5803)."""

import hmac
import secrets
from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256
from typing import Final

ITERATIONS: Final = 4_096
"""PostgreSQL's own number."""
_SALT_BYTES: Final = 16


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return the verifier of a password, with a random salt if none is given."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(value: bytes) -> str:
    return b64encode(value).decode()
