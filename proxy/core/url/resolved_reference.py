"""What a reference was found to mean: an original's name, how to ask whether it changed, and when that was asked."""

import json
from dataclasses import asdict, dataclass

from proxy.core.identifiers import Digest, digest_name

LONGEST_VALIDATOR = 256
"""What a source says of its version beyond this, in characters, is not kept: the next time all of it is fetched."""


@dataclass(frozen=True, slots=True)
class Validators:
    """A source's version as the source names it (RFC 9110 §8.8); empty where it does not."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def told(cls, etag: str, last_modified: str = "") -> "Validators":
        """Take a source's words, where they can be said back to it."""
        return cls(
            *(text if len(text) <= LONGEST_VALIDATOR and text.isprintable() else "" for text in (etag, last_modified))
        )

    def conditions(self) -> dict[str, str]:
        """Give the request fields that ask for what differs; the stronger one alone (RFC 9110 §13.1.3)."""
        if self.etag:
            return {"if-none-match": self.etag}
        return {"if-modified-since": self.last_modified} if self.last_modified else {}


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """The original a reference stood for when its source was asked; `asked_at` in Unix seconds."""

    digest: Digest
    validators: Validators
    asked_at: float

    def pack(self) -> bytes:
        """Give what `unpack` reads."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "ResolvedReference":
        """Rebuild a meaning from what was kept; ValueError when it cannot be one."""
        try:
            told = json.loads(packed)
            validators = told["validators"]
            return cls(
                digest_name(told["digest"]),
                Validators.told(validators["etag"], validators["last_modified"]),
                float(told["asked_at"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("a kept meaning is none") from error


def _sayable(text: str) -> str:
    return text if len(text) <= LONGEST_VALIDATOR and text.isascii() and text.isprintable() else ""
