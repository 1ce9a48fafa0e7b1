"""Format of API tokens: `drk_` + 12 characters of public id + `_` + 32 characters of secret + 6 of checksum.

The prefix and the checksum let scanners find leaked tokens and let us refuse typing errors without a look-up. The
secret has 190 bits, so a plain SHA-256 of it is safe to store: there is nothing to guess.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

PREFIX = "drk"
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 32, 6

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token in full: exists only when it is created and while a request is authenticated."""

    id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        """Return the token as its owner keeps it."""
        stem = f"{PREFIX}_{self.id}_{self.secret}"
        return stem + _checksum(stem)

    def digest(self) -> str:
        """Return what is stored in place of the secret: 64 hexadecimal digits of SHA-256."""
        return sha256(f"{self.id}_{self.secret}".encode()).hexdigest()

    def matches(self, digest: str) -> bool:
        """Return whether `digest` is this token's, in constant time."""
        return compare_digest(self.digest(), digest)

    @classmethod
    def generate(cls, choose: Callable[[str], str]) -> "ApiToken":
        """Return a new token; `choose` returns a random character of its argument (`secrets.choice`)."""
        text = "".join(choose(_ALPHABET) for _ in range(ID_LENGTH + SECRET_LENGTH))
        return cls(text[:ID_LENGTH], text[ID_LENGTH:])

    @classmethod
    def parse(cls, text: str) -> "ApiToken | None":
        """Return the token that `text` spells, or None if its shape or checksum is wrong."""
        match = _TOKEN.fullmatch(text)
        if match is None or _checksum(text[:-CHECKSUM_LENGTH]) != match[3]:
            return None
        return cls(match[1], match[2])


def _checksum(stem: str) -> str:
    """Return the CRC-32 of the stem in six base-62 digits."""
    number = zlib.crc32(stem.encode("ascii"))
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
