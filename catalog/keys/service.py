"""A tenant's keys, and their rotation.

Add a key (it signs from then on, the old ones still verify), wait until no URL of the old key is about, retire the old
one. A tenant always has a key: the last cannot be retired. Secrets are given out once, when they are made.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.errors import KeyConflict
from catalog.records.database import Database
from catalog.records.tables import SECRET_LENGTH, Secret, now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName

SHORTEST_SECRET = 16
MOST_KEYS = 8
"""Keys of one tenant that verify at the same time: a wrong seal costs one HMAC for each."""
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment its secret is told."""

    id: int
    tenant: TenantName
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed; the fingerprint is the first 8 hex digits of its secret's SHA-256."""

    id: int
    fingerprint: str
    created_at: datetime
    retired_at: datetime | None


async def create_key(database: Database, tenant: TenantName, secret: str | None = None) -> NewKey:
    """Add a key that signs from now on.

    TenantNotFound, or KeyConflict for a poor or used secret or one key too many.
    """
    secret = choose_secret(secret)
    try:
        async with database.writing() as session:
            await lock_tenant(session, tenant)
            if len(await live_secrets(session, tenant)) >= MOST_KEYS:
                raise KeyConflict(f"Tenant {tenant} has {MOST_KEYS} keys that verify: retire one first.")
            return await add_secret(session, tenant, secret)
    except IntegrityError:
        raise KeyConflict(f"Tenant {tenant} has had this secret before: choose a new one.") from None


async def list_keys(database: Database, tenant: TenantName) -> list[Key]:
    """List a tenant's keys, the one that signs first, retired ones included; TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(Secret).where(Secret.tenant == tenant).order_by(col(Secret.id).desc())
        return [_key(one) for one in await session.scalars(query)]


async def retire_key(database: Database, tenant: TenantName, key: int) -> None:
    """Retire a key: its seals are worth nothing from now on.

    TenantNotFound; KeyConflict when there is no such key, when it is retired already, and when it is the last one.
    """
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        live = await live_secrets(session, tenant)
        retiring = next((one for one in live if one.id == key), None)
        if retiring is None:
            raise KeyConflict(f"Tenant {tenant} has no key {key} that verifies: see darkroom key list {tenant}.")
        if len(live) == 1:
            raise KeyConflict(f"Key {key} is the last one of tenant {tenant}: add another first.")
        retiring.retired_at = now()


def choose_secret(given: str | None) -> str:
    """Give the secret that was chosen, or make one; KeyConflict for a poor one."""
    if given is None:
        return token_urlsafe(SECRET_BYTES)
    if not SHORTEST_SECRET <= len(given) <= SECRET_LENGTH or not given.isprintable():
        raise KeyConflict(
            f"A secret has {SHORTEST_SECRET} to {SECRET_LENGTH} printable characters: "
            "give another, or none to have one made."
        )
    return given


async def add_secret(session: AsyncSession, tenant: TenantName, secret: str) -> NewKey:
    """Add a key within the caller's transaction."""
    row = Secret(tenant=tenant, secret=secret)
    session.add(row)
    await session.flush()
    return NewKey(_key(row).id, tenant, secret)


async def live_secrets(session: AsyncSession, tenant: TenantName) -> list[Secret]:
    """Give the secrets that verify, the one that signs first."""
    query = select(Secret).where(Secret.tenant == tenant, col(Secret.retired_at).is_(None))
    return list(await session.scalars(query.order_by(col(Secret.id).desc())))


def _key(row: Secret) -> Key:
    if row.id is None:
        raise ValueError("a key that was never written")
    return Key(row.id, sha256(row.secret.encode()).hexdigest()[:8], row.created_at, row.retired_at)
