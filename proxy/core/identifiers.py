"""Identifiers: strings whose shape has been checked, distinguished by their type."""

import re
from typing import NamedTuple, NewType

TenantName = NewType("TenantName", str)
"""`[a-z0-9][a-z0-9-]{0,30}`."""

Digest = NewType("Digest", str)
"""SHA-256 of an original's bytes: 64 lower-case hex digits."""

DerivativeKey = NewType("DerivativeKey", str)
"""Name of a derivative, and its path in every store:

    {renderer version}/{tenant}/{cache epoch}/{first two digits of the original}/{original}/{variant}

The variant is 64 hex digits that cover everything that shapes the bytes. The renderer version and the cache epoch are
part of the path, so that what an upgrade or a purge has made unreachable can be found and deleted by its prefix.
"""

UploadId = NewType("UploadId", str)
"""Identifier of an upload that takes more than one request: a UUID, 36 characters in lower case."""

RendererVersion = NewType("RendererVersion", str)
"""Version of everything that renders a plan: pixel code, libvips, fonts. A new version changes all keys and ETags."""

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
DIGEST = re.compile(r"[0-9a-f]{64}")
UPLOAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RENDERER_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
DERIVATIVE_KEY = re.compile(
    rf"(?P<renderer_version>{RENDERER_VERSION.pattern})/(?P<tenant>{TENANT.pattern})/(?P<cache_epoch>0|[1-9][0-9]{{0,9}})"
    rf"/(?P<shard>[0-9a-f]{{2}})/(?P<original>(?P=shard)[0-9a-f]{{62}})/(?P<variant>{DIGEST.pattern})"
)


class KeyParts(NamedTuple):
    """The parts of a `DerivativeKey`, in the order of its path."""

    renderer_version: RendererVersion
    tenant: TenantName
    cache_epoch: int
    original: Digest
    variant: str

    def __str__(self) -> str:
        shard = self.original[:2]
        return f"{self.renderer_version}/{self.tenant}/{self.cache_epoch}/{shard}/{self.original}/{self.variant}"

    def belongs_to(self, tenant: TenantName, original: Digest | None = None) -> bool:
        """Return whether the derivative is the tenant's and, if an original is given, made of that one."""
        return self.tenant == tenant and original in {None, self.original}


def tenant_name(text: str) -> TenantName:
    """Return `text` as the name of a tenant. Raise ValueError if it does not have the shape."""
    if not TENANT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a tenant name: use 1–31 of a–z, 0–9 and -, first a letter or a digit")
    return TenantName(text)


def digest_name(text: str) -> Digest:
    """Return `text` as the digest of an original. Raise ValueError if it does not have the shape."""
    if not DIGEST.fullmatch(text):
        raise ValueError(f"{text[:70]!r} is not a digest: use the 64 lower-case hex digits of a SHA-256")
    return Digest(text)


def upload_id(text: str) -> UploadId:
    """Return `text` as the identifier of an upload. Raise ValueError if it does not have the shape."""
    if not UPLOAD.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not the identifier of an upload: use a UUID in lower case")
    return UploadId(text)


def derivative_key(text: str) -> DerivativeKey:
    """Return `text` as a derivative's key. Raise ValueError if it does not have the shape."""
    split_derivative_key(text)
    return DerivativeKey(text)


def split_derivative_key(text: str) -> KeyParts:
    """Return the parts of a derivative's key. Raise ValueError if `text` does not have the shape."""
    match = DERIVATIVE_KEY.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:240]!r} is not a derivative key: "
            "renderer version, tenant, cache epoch, shard, original and variant, joined by /"
        )
    return KeyParts(
        RendererVersion(match["renderer_version"]),
        TenantName(match["tenant"]),
        int(match["cache_epoch"]),
        Digest(match["original"]),
        match["variant"],
    )
