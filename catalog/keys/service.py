"""Signing keys of a tenant, and their rotation.

To rotate, add a key (it signs from then on, older ones still verify), wait until no URL of the old key is in use, and
retire the old one. A tenant always has a key: the last one cannot be retired. A secret is returned once, when it is
created, and stored encrypted.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.errors import KeyConflict, KeyNotFound, SecretsUnreadable
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.encryption import SecretCipher
from catalog.records.key import SECRET_LENGTH
from catalog.records.tables import Secret, now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName

SHORTEST_SECRET = 16
MOST_KEYS = 8
"""Maximum number of keys of a tenant that verify at the same time: a wrong seal costs one HMAC per key."""
SECRET_BYTES = 32

KeyState = Literal["signs", "verifies", "retired"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A created key with its secret, which is not shown again."""

    id: int
    tenant: TenantName
    secret: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of the SHA-256 of the secret."""
        return _short_digest(self.secret)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: int
    fingerprint: str | None
    """First 8 hex digits of the SHA-256 of the secret; None if the secret cannot be decrypted."""
    state: KeyState
    created_at: datetime
    retired_at: datetime | None


async def create_key(
    session: AsyncSession, cipher: SecretCipher, principal: Principal, origin: Origin, secret: str | None = None
) -> NewKey:
    """Add a key that signs from now on.

    Raise TenantNotFound, or KeyConflict for an invalid or already used secret, or for too many keys.
    """
    secret, tenant = choose_secret(secret), principal.tenant
    used = KeyConflict(f"Tenant {tenant} has used this secret before: choose a new one.")
    await lock_tenant(session, tenant)
    if len(await live_keys(session, tenant)) >= MOST_KEYS:
        raise KeyConflict(f"Tenant {tenant} has {MOST_KEYS} keys that verify: retire one first.")
    if await _is_used(session, tenant, cipher.fingerprints(tenant, secret)):
        raise used
    try:
        return await add_secret(session, cipher, principal, origin, secret)
    except IntegrityError:
        raise used from None


async def list_keys(session: AsyncSession, cipher: SecretCipher, tenant: TenantName) -> list[Key]:
    """Return all keys of a tenant, retired ones included, the signing one first. Raise TenantNotFound."""
    await get_tenant(session, tenant)
    return await keys_before(session, cipher, tenant)


async def keys_before(
    session: AsyncSession,
    cipher: SecretCipher,
    tenant: TenantName,
    limit: int | None = None,
    before: int | None = None,
) -> list[Key]:
    """Return at most `limit` keys of a tenant, the newest first, of ids below `before`."""
    query = select(Secret).where(Secret.tenant == tenant).order_by(col(Secret.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Secret.id) < before)
    rows = list(await session.scalars(query))
    signing = next((row.id for row in await live_keys(session, tenant)), None)
    return [_key(row, cipher, signing) for row in rows]


async def find_key(session: AsyncSession, cipher: SecretCipher, tenant: TenantName, key: int) -> Key:
    """Return a key, whether retired or not. Raise KeyNotFound if the tenant has none of this id."""
    row = await session.get(Secret, key)
    if row is None or row.tenant != tenant:
        raise KeyNotFound(f"Tenant {tenant} has no key {key}: list its keys.")
    signing = next((row.id for row in await live_keys(session, tenant)), None)
    return _key(row, cipher, signing)


async def retire_key(session: AsyncSession, principal: Principal, origin: Origin, key: int) -> None:
    """Retire a key: its seals are refused from now on.

    Raise TenantNotFound, KeyNotFound if no key of this id verifies, or KeyConflict if the key is the last one.
    """
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    live = await live_keys(session, tenant)
    row = next((row for row in live if row.id == key), None)
    if row is None:
        raise KeyNotFound(f"Tenant {tenant} has no key {key} that verifies: list its keys.")
    if len(live) == 1:
        raise KeyConflict(f"Key {key} is the last one of tenant {tenant}: add another first.")
    row.retired_at = now()
    await record(session, principal, origin, "key.retired", ("key", str(key)))


def choose_secret(secret: str | None) -> str:
    """Return the secret, or a new random one for None. Raise KeyConflict for an invalid one."""
    if secret is None:
        return token_urlsafe(SECRET_BYTES)
    if not SHORTEST_SECRET <= len(secret) <= SECRET_LENGTH or not secret.isprintable():
        raise KeyConflict(
            f"A secret has {SHORTEST_SECRET} to {SECRET_LENGTH} printable characters: "
            "specify another, or none to have one generated."
        )
    return secret


async def add_secret(
    session: AsyncSession, cipher: SecretCipher, principal: Principal, origin: Origin, secret: str
) -> NewKey:
    """Add a key, whose secret has been checked."""
    tenant = principal.tenant
    row = Secret(
        tenant=tenant,
        encrypted_secret=cipher.encrypt(secret),
        fingerprint=cipher.fingerprints(tenant, secret)[0],
    )
    session.add(row)
    await session.flush()
    await record(
        session, principal, origin, "key.created", ("key", str(row.id)), after={"fingerprint": _short_digest(secret)}
    )
    return NewKey(_id(row), tenant, secret)


async def live_keys(session: AsyncSession, tenant: TenantName) -> list[Secret]:
    """Return the rows of the keys that verify, the signing one first."""
    query = select(Secret).where(Secret.tenant == tenant, col(Secret.retired_at).is_(None))
    return list(await session.scalars(query.order_by(col(Secret.id).desc())))


async def _is_used(session: AsyncSession, tenant: TenantName, fingerprints: list[str]) -> bool:
    """Return whether a secret has one of these fingerprints: rows may be encrypted with an older key."""
    query = select(Secret.id).where(Secret.tenant == tenant, col(Secret.fingerprint).in_(fingerprints))
    return (await session.scalars(query)).first() is not None


def _key(row: Secret, cipher: SecretCipher, signing: int | None) -> Key:
    state: KeyState = "retired" if row.retired_at else "signs" if row.id == signing else "verifies"
    return Key(_id(row), _fingerprint(cipher, row), state, row.created_at, row.retired_at)


def _fingerprint(cipher: SecretCipher, row: Secret) -> str | None:
    try:
        return _short_digest(cipher.decrypt(row.encrypted_secret))
    except SecretsUnreadable:
        return None


def _short_digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()[:8]


def _id(row: Secret) -> int:
    if row.id is None:
        raise ValueError("the key has not been written")
    return row.id
