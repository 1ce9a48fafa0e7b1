"""A derivative as one binary value, for tiers that keep bytes and nothing beside them.

    magic    8 bytes, with the layout's version
    digest  32 bytes, SHA-256 of all that follows
    length   2 bytes, big endian: of the labels
    labels   JSON of Derivative.labels()
    body     the rest

The digest is against damage, not against forgery: who can write a tier can write a digest.
"""

import json
import struct
from hashlib import sha256

from proxy.core.media.derivative import Derivative

_MAGIC = b"drkroom\x01"
_HEAD = struct.Struct(">8s32s")
_LENGTH = struct.Struct(">H")

LARGEST_HEAD_BYTES = 4096
"""No envelope adds more than this to its body."""


def pack(derivative: Derivative) -> bytes:
    """Give the one value that `unpack` reads."""
    labels = json.dumps(derivative.labels(), separators=(",", ":")).encode()
    rest = b"".join((_LENGTH.pack(len(labels)), labels, derivative.body))
    return _HEAD.pack(_MAGIC, sha256(rest).digest()) + rest


def unpack(value: bytes) -> Derivative:
    """Give back what was packed; ValueError when any byte is missing, added or changed."""
    if len(value) < _HEAD.size + _LENGTH.size:
        raise ValueError("an envelope without its head")
    magic, digest = _HEAD.unpack_from(value)
    rest = memoryview(value)[_HEAD.size :]
    if magic != _MAGIC or sha256(rest).digest() != digest:
        raise ValueError("a damaged envelope")
    body_at = _LENGTH.size + _LENGTH.unpack_from(rest)[0]
    return Derivative.read(bytes(rest[body_at:]), json.loads(bytes(rest[_LENGTH.size : body_at])))
