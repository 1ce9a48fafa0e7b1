"""Canonical text: strings that have been checked, told apart by type."""

import re
from typing import NewType

TenantName = NewType("TenantName", str)
"""`[a-z0-9][a-z0-9-]{0,30}`."""

Digest = NewType("Digest", str)
"""SHA-256 of an original's bytes: 64 lower-case hex digits."""

DerivativeKey = NewType("DerivativeKey", str)
"""`{tenant}/{original}/{64 hex digits}`: names one finished picture; the last part covers all that shapes its bytes."""

Generation = NewType("Generation", str)
"""The renderer's generation: our pixel code, libvips' version, own fonts. A new one makes new keys and ETags."""

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
DIGEST = re.compile(r"[0-9a-f]{64}")
DERIVATIVE_KEY = re.compile(rf"{TENANT.pattern}/{DIGEST.pattern}/{DIGEST.pattern}")


def tenant_name(text: str) -> TenantName:
    """Check a tenant's name; ValueError says the rule."""
    if not TENANT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no tenant name: 1–31 of a–z, 0–9 and -, the first a letter or a digit")
    return TenantName(text)


def digest_name(text: str) -> Digest:
    """Check an original's name; ValueError says the rule."""
    if not DIGEST.fullmatch(text):
        raise ValueError(f"{text[:70]!r} is no original: 64 lower-case hex digits of a SHA-256")
    return Digest(text)


def derivative_key(text: str) -> DerivativeKey:
    """Check a derivative's key; ValueError says the rule."""
    if not DERIVATIVE_KEY.fullmatch(text):
        raise ValueError(f"{text[:170]!r} is no derivative key: tenant, original and 64 hex digits, joined by /")
    return DerivativeKey(text)
