"""Tenants and their keys: creating them, rotating keys, and finding them for the delivery plane.

Rotation: add a key (it signs from then on, the old ones still verify), wait until no URL of the old key is about,
retire the old one. A tenant always has a key: the last cannot be retired. Secrets are given out once, when they are
made.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe

import sqlalchemy
from sqlalchemy import Row, Select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.database import Database
from catalog.locks import lock_tenant
from catalog.presets import add_defaults, newest_presets, read_recipe
from catalog.records import SECRET_LENGTH, Original, Secret, Source, Tenant, Watermark, now
from catalog.refusals import KeyRefused, RulesRefused, TenantExists, TenantMissing
from proxy.core.geometry import Size
from proxy.core.limits import HARD_CAPS, Limits
from proxy.core.names import Digest, TenantName
from proxy.core.signing import SigningKey
from proxy.core.tenant import Manner
from proxy.core.tenant import Source as Place
from proxy.core.tenant import Tenant as KnownTenant
from proxy.core.tenant import Watermark as Mark
from proxy.settings import Settings

SHORTEST_SECRET = 16
LONGEST_TTL_S = 365 * 86_400
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
    linear: bool
    crisp: bool
    wide: bool
    hints: bool
    reference_ttl_s: int
    limits: Mapping[str, int]
    """Those that are not the installation's."""


async def create_tenant(database: Database, name: TenantName, secret: str | None = None) -> NewKey:
    """Create a tenant with its first key; TenantExists when the name is taken, KeyRefused for a poor secret."""
    secret = _secret(secret)
    try:
        async with database.writing() as session:
            session.add(Tenant(name=name))
            await session.flush()
            add_defaults(session, name)
            return await _add_secret(session, name, secret)
    except IntegrityError:
        raise TenantExists(f"There is a tenant {name} already: choose another name.") from None


async def change_rules(  # noqa: PLR0913 - a rule each
    database: Database,
    name: TenantName,
    *,
    linear: bool | None = None,
    crisp: bool | None = None,
    wide: bool | None = None,
    hints: bool | None = None,
    reference_ttl_s: int | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> None:
    """Change how a tenant wants its pictures; None leaves a rule, and of a limit takes it back to the installation's.

    TenantMissing; RulesRefused for a limit that does not exist or is beyond the hard caps.
    """
    async with database.writing() as session:
        row = await lock_tenant(session, name)
        for field_name, value in (("linear", linear), ("crisp", crisp), ("wide", wide), ("hints", hints)):
            if value is not None:
                setattr(row, field_name, value)
        if reference_ttl_s is not None:
            if not 1 <= reference_ttl_s <= LONGEST_TTL_S:
                raise RulesRefused(f"A reference is trusted for 1 s to {LONGEST_TTL_S} s.")
            row.reference_ttl_s = reference_ttl_s
        kept: dict[str, int] = json.loads(row.limits)
        for limit, number in (limits or {}).items():
            _check_limit(limit, number)
            if number is None:
                kept.pop(limit, None)
            else:
                kept[limit] = number
        row.limits = json.dumps(kept, sort_keys=True)


async def limits_of_tenant(database: Database, name: TenantName, usual: Limits) -> Limits:
    """Give a tenant's limits: the usual ones but where it has its own; TenantMissing."""
    async with database.reading() as session:
        return _own_limits(await lock_tenant(session, name, lock=False), usual)


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
            await lock_tenant(session, tenant)
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
        await lock_tenant(session, tenant)
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
    """The `Tenants` port on the catalog's database; the limits are the installation's, where a tenant has no others."""

    database: Database
    limits: Limits = field(default_factory=Limits)

    async def find(self, name: TenantName) -> KnownTenant | None:
        """Find a tenant by its keys, of which it always has one."""
        async with self.database.reading() as session:
            row = await session.get(Tenant, name)
            if row is None:
                return None
            live = await _live(session, name)
            presets = [one for one in await newest_presets(session, name) if one.recipe is not None]
            watermarks = list(await session.scalars(select(Watermark).where(Watermark.tenant == name)))
            sources = list(await session.scalars(select(Source).where(Source.tenant == name)))
        recipes = {one.name: recipe for one in presets if (recipe := read_recipe(str(one.recipe)))}
        return KnownTenant(
            name,
            tuple(SigningKey.derive(one.secret) for one in live),
            limits=_own_limits(row, self.limits),
            manner=Manner(linear=row.linear, crisp=row.crisp, wide=row.wide),
            presets=recipes,
            unsigned=frozenset(one.name for one in presets if one.unsigned),
            watermarks={one.name: Mark(Digest(one.original), Size(one.width, one.height)) for one in watermarks},
            hints=row.hints,
            sources=tuple(Place(one.prefix, tuple(json.loads(one.credentials).items())) for one in sources),
            reference_ttl_s=row.reference_ttl_s,
        )

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


def _check_limit(name: str, number: int | None) -> None:
    names = [one.name for one in fields(Limits)]
    if name not in names:
        raise RulesRefused(f"The limits are {', '.join(names)}.")
    most = getattr(HARD_CAPS, name)
    if number is not None and not 1 <= number <= most:
        raise RulesRefused(f"{name} takes 1…{most}, or nothing for the installation's own.")


def _own_limits(row: Tenant, usual: Limits) -> Limits:
    return replace(usual, **json.loads(row.limits))


async def _live(session: AsyncSession, tenant: TenantName) -> list[Secret]:
    """Give the secrets that verify, the one that signs first."""
    query = select(Secret).where(Secret.tenant == tenant, col(Secret.retired_at).is_(None))
    return list(await session.scalars(query.order_by(col(Secret.id).desc())))


def _summaries() -> Select[Tenant, int, int]:
    """Ask for what `_summary` reads."""
    keys = select(func.count()).where(Secret.tenant == Tenant.name, col(Secret.retired_at).is_(None))
    originals = select(func.count()).where(Original.tenant == Tenant.name)
    return sqlalchemy.select(Tenant, keys.scalar_subquery(), originals.scalar_subquery())


def _summary(row: Row[Tenant, int, int]) -> TenantSummary:
    tenant, keys, originals = row
    return TenantSummary(
        name=TenantName(tenant.name),
        created_at=tenant.created_at,
        keys=keys,
        originals=originals,
        linear=tenant.linear,
        crisp=tenant.crisp,
        wide=tenant.wide,
        hints=tenant.hints,
        reference_ttl_s=tenant.reference_ttl_s,
        limits=json.loads(tenant.limits),
    )


def _key(row: Secret) -> Key:
    if row.id is None:
        raise ValueError("a key that was never written")
    return Key(row.id, sha256(row.secret.encode()).hexdigest()[:8], row.created_at, row.retired_at)


def _missing(name: str) -> TenantMissing:
    return TenantMissing(f"There is no tenant {name}: make it with darkroom tenant create {name}.")
