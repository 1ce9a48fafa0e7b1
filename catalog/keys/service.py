"""Signing keys of a tenant, and their rotation.

To rotate, add a key (it signs from then on, older ones still verify), wait until no URL of the old key is in use, and
retire the old one. A tenant always has a key: the last one cannot be retired. A secret is returned once, when it is
created, and stored encrypted.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.errors import KeyConflict, SecretsUnreadable
from catalog.records.database import Database
from catalog.records.encryption import SecretCipher
from catalog.records.key import SECRET_LENGTH
from catalog.records.tables import Secret, now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName

SHORTEST_SECRET = 16
MOST_KEYS = 8
"""Maximum number of keys of a tenant that verify at the same time: a wrong seal costs one HMAC per key."""
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewKey:
    """A created key with its secret, which is not shown again."""

    id: int
    tenant: TenantName
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: int
    fingerprint: str | None
    """First 8 hex digits of the SHA-256 of the secret; None if the secret cannot be decrypted."""
    created_at: datetime
    retired_at: datetime | None


async def create_key(database: Database, tenant: TenantName, secret: str | None = None) -> NewKey:
    """Add a key that signs from now on.

    Raise TenantNotFound, or KeyConflict for an invalid or already used secret, or for too many keys.
    """
    secret = choose_secret(secret)
    used = KeyConflict(f"Tenant {tenant} has used this secret before: choose a new one.")
    try:
        async with database.writing() as session:
            await lock_tenant(session, tenant)
            if len(await live_keys(session, tenant)) >= MOST_KEYS:
                raise KeyConflict(f"Tenant {tenant} has {MOST_KEYS} keys that verify: retire one first.")
            if await _is_used(session, tenant, database.cipher.fingerprints(tenant, secret)):
                raise used
            return await add_secret(session, database.cipher, tenant, secret)
    except IntegrityError:
        raise used from None


async def list_keys(database: Database, tenant: TenantName) -> list[Key]:
    """Return all keys of a tenant, retired ones included, the signing one first. Raise TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(Secret).where(Secret.tenant == tenant).order_by(col(Secret.id).desc())
        rows = list(await session.scalars(query))
    return [Key(_id(row), _fingerprint(database.cipher, row), row.created_at, row.retired_at) for row in rows]


async def retire_key(database: Database, tenant: TenantName, key: int) -> None:
    """Retire a key: its seals are refused from now on.

    Raise TenantNotFound, or KeyConflict if the key does not exist, is retired already, or is the last one.
    """
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        live = await live_keys(session, tenant)
        row = next((row for row in live if row.id == key), None)
        if row is None:
            raise KeyConflict(f"Tenant {tenant} has no key {key} that verifies: see darkroom key list {tenant}.")
        if len(live) == 1:
            raise KeyConflict(f"Key {key} is the last one of tenant {tenant}: add another first.")
        row.retired_at = now()


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


async def add_secret(session: AsyncSession, cipher: SecretCipher, tenant: TenantName, secret: str) -> NewKey:
    """Add a key within the caller's transaction."""
    row = Secret(
        tenant=tenant,
        encrypted_secret=cipher.encrypt(secret),
        fingerprint=cipher.fingerprints(tenant, secret)[0],
    )
    session.add(row)
    await session.flush()
    return NewKey(_id(row), tenant, secret)


async def live_keys(session: AsyncSession, tenant: TenantName) -> list[Secret]:
    """Return the rows of the keys that verify, the signing one first."""
    query = select(Secret).where(Secret.tenant == tenant, col(Secret.retired_at).is_(None))
    return list(await session.scalars(query.order_by(col(Secret.id).desc())))


async def _is_used(session: AsyncSession, tenant: TenantName, fingerprints: list[str]) -> bool:
    """Return whether a secret has one of these fingerprints: rows may be encrypted with an older key."""
    query = select(Secret.id).where(Secret.tenant == tenant, col(Secret.fingerprint).in_(fingerprints))
    return (await session.scalars(query)).first() is not None


def _fingerprint(cipher: SecretCipher, row: Secret) -> str | None:
    try:
        secret = cipher.decrypt(row.encrypted_secret)
    except SecretsUnreadable:
        return None
    return sha256(secret.encode()).hexdigest()[:8]


def _id(row: Secret) -> int:
    if row.id is None:
        raise ValueError("the key has not been written")
    return row.id
