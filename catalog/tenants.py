"""Tenants and their keys: creating them, rotating keys, and finding them for the delivery plane.

Rotation: add a key (it signs from then on, the old ones still verify), wait until no URL of the old key is about,
retire the old one. A tenant always has a key: the last cannot be retired. Secrets are given out once, when they are
made.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe

import sqlalchemy
from sqlalchemy import Row, Select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.database import Database
from catalog.records import SECRET_LENGTH, Original, Secret, Tenant, now
from catalog.refusals import KeyRefused, TenantExists, TenantMissing
from proxy.core.limits import HARD_CAPS, Limits
from proxy.core.names import TenantName
from proxy.core.signing import SigningKey
from proxy.core.tenant import Tenant as KnownTenant
from proxy.settings import Settings

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


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """A tenant as it is listed."""

    name: TenantName
    created_at: datetime
    keys: int
    """Those that verify."""
    originals: int


async def create_tenant(database: Database, name: TenantName, secret: str | None = None) -> NewKey:
    """Create a tenant with its first key; TenantExists when the name is taken, KeyRefused for a poor secret."""
    secret = _secret(secret)
    try:
        async with database.writing() as session:
            session.add(Tenant(name=name))
            await session.flush()
            return await _add_secret(session, name, secret)
    except IntegrityError:
        raise TenantExists(f"There is a tenant {name} already: choose another name.") from None


async def list_tenants(database: Database) -> list[TenantSummary]:
    """List all tenants by name."""
    async with database.reading() as session:
        rows = await session.execute(_summaries().order_by(col(Tenant.name)))
        return [_summary(row) for row in rows]


async def find_tenant(database: Database, name: TenantName) -> TenantSummary:
    """Find one tenant; TenantMissing when there is none of the name."""
    async with database.reading() as session:
        row = (await session.execute(_summaries().where(col(Tenant.name) == name))).one_or_none()
    if row is None:
        raise _missing(name)
    return _summary(row)


async def find_signer(database: Database, name: TenantName) -> KnownTenant:
    """Find a tenant with the keys to sign in its name; TenantMissing when there is none of the name."""
    tenant = await SqlTenants(database).find(name)
    if tenant is None:
        raise _missing(name)
    return tenant


async def create_key(database: Database, tenant: TenantName, secret: str | None = None) -> NewKey:
    """Add a key that signs from now on; TenantMissing, or KeyRefused for a poor or used secret or one key too many."""
    secret = _secret(secret)
    try:
        async with database.writing() as session:
            await _lock(session, tenant)
            if len(await _live(session, tenant)) >= MOST_KEYS:
                raise KeyRefused(f"Tenant {tenant} has {MOST_KEYS} keys that verify: retire one first.")
            return await _add_secret(session, tenant, secret)
    except IntegrityError:
        raise KeyRefused(f"Tenant {tenant} has had this secret before: choose a new one.") from None


async def list_keys(database: Database, tenant: TenantName) -> list[Key]:
    """List a tenant's keys, the one that signs first, retired ones included; TenantMissing."""
    async with database.reading() as session:
        if await session.get(Tenant, tenant) is None:
            raise _missing(tenant)
        query = select(Secret).where(Secret.tenant == tenant).order_by(col(Secret.id).desc())
        return [_key(one) for one in await session.scalars(query)]


async def retire_key(database: Database, tenant: TenantName, key: int) -> None:
    """Retire a key: its seals are worth nothing from now on.

    TenantMissing; KeyRefused when there is no such key, when it is retired already, and when it is the last one.
    """
    async with database.writing() as session:
        await _lock(session, tenant)
        live = await _live(session, tenant)
        retiring = next((one for one in live if one.id == key), None)
        if retiring is None:
            raise KeyRefused(f"Tenant {tenant} has no key {key} that verifies: see darkroom key list {tenant}.")
        if len(live) == 1:
            raise KeyRefused(f"Key {key} is the last one of tenant {tenant}: add another first.")
        retiring.retired_at = now()


def limits_of(settings: Settings) -> Limits:
    """Give the installation's limits, none of them beyond the hard caps."""
    return Limits(
        **{one.name: min(getattr(settings, one.name), getattr(HARD_CAPS, one.name)) for one in fields(Limits)}
    )


@dataclass(frozen=True, slots=True)
class SqlTenants:
    """The `Tenants` port on the catalog's database; the limits are the installation's, the same for every tenant."""

    database: Database
    limits: Limits = field(default_factory=Limits)

    async def find(self, name: TenantName) -> KnownTenant | None:
        """Find a tenant by its keys, of which it always has one."""
        async with self.database.reading() as session:
            live = await _live(session, name)
        if not live:
            return None
        return KnownTenant(name, tuple(SigningKey.derive(one.secret) for one in live), self.limits)

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.database.ping()


def _secret(given: str | None) -> str:
    if given is None:
        return token_urlsafe(SECRET_BYTES)
    if not SHORTEST_SECRET <= len(given) <= SECRET_LENGTH or not given.isprintable():
        raise KeyRefused(
            f"A secret has {SHORTEST_SECRET} to {SECRET_LENGTH} printable characters: "
            "give another, or none to have one made."
        )
    return given


async def _add_secret(session: AsyncSession, tenant: TenantName, secret: str) -> NewKey:
    row = Secret(tenant=tenant, secret=secret)
    session.add(row)
    await session.flush()
    return NewKey(_key(row).id, tenant, secret)


async def _lock(session: AsyncSession, tenant: TenantName) -> None:
    """Have a tenant's keys for ourselves: two at once could retire the last two."""
    if (await session.scalars(select(Tenant).where(Tenant.name == tenant).with_for_update())).one_or_none() is None:
        raise _missing(tenant)


async def _live(session: AsyncSession, tenant: TenantName) -> list[Secret]:
    """Give the secrets that verify, the one that signs first."""
    query = select(Secret).where(Secret.tenant == tenant, col(Secret.retired_at).is_(None))
    return list(await session.scalars(query.order_by(col(Secret.id).desc())))


def _summaries() -> Select[str, datetime, int, int]:
    """Ask for what `_summary` reads."""
    keys = select(func.count()).where(Secret.tenant == Tenant.name, col(Secret.retired_at).is_(None))
    originals = select(func.count()).where(Original.tenant == Tenant.name)
    return sqlalchemy.select(
        col(Tenant.name), col(Tenant.created_at), keys.scalar_subquery(), originals.scalar_subquery()
    )


def _summary(row: Row[str, datetime, int, int]) -> TenantSummary:
    name, created_at, keys, originals = row
    return TenantSummary(TenantName(name), created_at, keys, originals)


def _key(row: Secret) -> Key:
    if row.id is None:
        raise ValueError("a key that was never written")
    return Key(row.id, sha256(row.secret.encode()).hexdigest()[:8], row.created_at, row.retired_at)


def _missing(name: str) -> TenantMissing:
    return TenantMissing(f"There is no tenant {name}: make it with darkroom tenant create {name}.")
