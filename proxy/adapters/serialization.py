"""A derivative as one binary value, for tiers that store bytes and nothing beside them.

    magic    8 bytes, with the layout's version
    digest  32 bytes, SHA-256 of the key and of all that follows
    length   2 bytes, big endian: of the labels
    labels   JSON of Derivative.labels()
    body     the rest

The digest detects damage, and a value that is stored under another key than its own. It does not protect against
forgery: access to a tier is enough to write a digest.
"""

import json
import struct
from hashlib import sha256

from proxy.core.identifiers import DerivativeKey
from proxy.core.media.derivative import Derivative

_MAGIC = b"drkroom\x02"
_HEAD = struct.Struct(">8s32s")
_LENGTH = struct.Struct(">H")

MAX_OVERHEAD_BYTES = 4096
"""A serialized derivative is at most this much longer than its body."""


def serialize(key: DerivativeKey, derivative: Derivative) -> bytes:
    """Return the value that `deserialize` reads under the same key."""
    labels = json.dumps(derivative.labels(), separators=(",", ":")).encode()
    content = b"".join((_LENGTH.pack(len(labels)), labels, derivative.body))
    return _HEAD.pack(_MAGIC, _digest(key, content)) + content


def deserialize(key: DerivativeKey, value: bytes) -> Derivative:
    """Return the serialized derivative. Raise ValueError if a byte is missing, added or changed, or the key differs."""
    if len(value) < _HEAD.size + _LENGTH.size:
        raise ValueError("the serialized derivative is too short")
    magic, digest = _HEAD.unpack_from(value)
    content = memoryview(value)[_HEAD.size :]
    if magic != _MAGIC or _digest(key, content) != digest:
        raise ValueError("the serialized derivative is damaged or belongs to another key")
    body_at = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    return Derivative.read(bytes(content[body_at:]), json.loads(bytes(content[_LENGTH.size : body_at])))


def metadata_digest(key: DerivativeKey, labels: dict[str, str], body_digest: bytes) -> str:
    """Return 64 hex digits over a derivative's key, labels and the SHA-256 of its body.

    For a store that keeps labels beside the body (S3): it detects the same damage as `serialize` does, without a second
    pass over the body.
    """
    text = json.dumps([key, sorted(labels.items()), body_digest.hex()])
    return sha256(text.encode()).hexdigest()


def _digest(key: DerivativeKey, content: bytes | memoryview) -> bytes:
    digest = sha256(key.encode())
    digest.update(content)
    return digest.digest()
