"""A resolved reference: the digest of the original, the validators for conditional requests, and the time."""

import json
from dataclasses import asdict, dataclass

from proxy.core.identifiers import Digest, digest_name

MAX_VALIDATOR_LENGTH = 256
"""Longest validator that is stored, in characters. Without a validator, the original is fetched completely."""


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of an original at its source (RFC 9110 §8.8); empty if the source does not provide them."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def from_headers(cls, etag: str, last_modified: str = "") -> "Validators":
        """Return the validators of a response, without those that cannot be sent back in a request."""
        return cls(*(text if _can_be_sent(text) else "" for text in (etag, last_modified)))

    def conditions(self) -> dict[str, str]:
        """Return the header of a conditional request; If-None-Match takes precedence (RFC 9110 §13.1.3)."""
        if self.etag:
            return {"if-none-match": self.etag}
        return {"if-modified-since": self.last_modified} if self.last_modified else {}


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """The original of a reference at the time of the request to its source, `asked_at`, in Unix seconds."""

    digest: Digest
    validators: Validators
    asked_at: float

    def pack(self) -> bytes:
        """Return the bytes to store; the inverse of `unpack`."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "ResolvedReference":
        """Return a resolved reference from its stored bytes. Raise ValueError if they are invalid."""
        try:
            values = json.loads(packed)
            validators = values["validators"]
            return cls(
                digest_name(values["digest"]),
                Validators.from_headers(validators["etag"], validators["last_modified"]),
                float(values["asked_at"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("the stored reference is invalid") from error


def _can_be_sent(text: str) -> bool:
    return len(text) <= MAX_VALIDATOR_LENGTH and text.isprintable()
