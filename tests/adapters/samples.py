"""Originals, derivatives and their names, for the adapters' tests."""

import os
import random
from hashlib import sha256

from proxy.core.identifiers import DerivativeKey, Digest, TenantName, derivative_key, digest_name, tenant_name
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import JPEG, WEBP
from proxy.ports import OpenOriginal

LIMIT_BYTES = 4 * 2**20
ACME: TenantName = tenant_name("acme")
OTHER: TenantName = tenant_name("other")

SMALL = b"\xff\xd8\xff\xe0 a small original"
LARGE = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(3 * 2**20)
"""More than any buffer on its way."""


def named(content: bytes) -> Digest:
    """Return an original's name."""
    return digest_name(sha256(content).hexdigest())


def opened(content: bytes) -> OpenOriginal:
    """Return an original as a caller holds it."""
    fd = os.memfd_create("sample", os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return OpenOriginal(fd, len(content))


def content_of(original: OpenOriginal) -> bytes:
    """Read an original to its end and close it."""
    with original, os.fdopen(os.dup(original.fd), "rb") as file:
        return file.read()


def key(
    name: str, tenant: TenantName = ACME, *, original: bytes = SMALL, version: str = "5-8.18.7", epoch: int = 0
) -> DerivativeKey:
    """Return a derivative's key, its last part made from `name`."""
    digest = named(original)
    return derivative_key(f"{version}/{tenant}/{epoch}/{digest[:2]}/{digest}/{sha256(name.encode()).hexdigest()}")


PICTURE = Derivative(b"RIFF\0\0\0\0WEBP pixels", WEBP, 320, 180)
OTHER_PICTURE = Derivative(b"\xff\xd8\xff other pixels", JPEG, 16, 9)
LARGE_PICTURE = Derivative(random.Random(2).randbytes(3 * 2**20), JPEG, 8000, 6000)
