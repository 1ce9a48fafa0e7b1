"""Tenants: creation, listing, and their cache epochs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlalchemy import Row, Select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select

from catalog.core.errors import TenantExists
from catalog.keys.service import NewKey, add_secret, choose_secret
from catalog.presets.service import add_defaults
from catalog.records.database import Database
from catalog.records.tables import Original, Secret, Tenant
from catalog.records.tenant_lock import lock_tenant, tenant_not_found
from proxy.core.identifiers import TenantName


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """A tenant with its rules and the number of its keys and originals."""

    name: TenantName
    created_at: datetime
    keys: int
    """Number of keys that verify."""
    originals: int
    linear: bool
    crisp: bool
    wide: bool
    hints: bool
    reference_ttl_s: int
    limits: Mapping[str, int]
    """Limits that differ from the installation's."""


async def create_tenant(database: Database, name: TenantName, secret: str | None = None) -> NewKey:
    """Create a tenant with its first key and the default presets.

    Raise TenantExists if the name is taken, KeyConflict for an invalid secret.
    """
    secret = choose_secret(secret)
    try:
        async with database.writing() as session:
            session.add(Tenant(name=name))
            await session.flush()
            add_defaults(session, name)
            return await add_secret(session, database.cipher, name, secret)
    except IntegrityError:
        raise TenantExists(f"Tenant {name} already exists: choose another name.") from None


async def list_tenants(database: Database) -> list[TenantSummary]:
    """Return all tenants, sorted by name."""
    async with database.reading() as session:
        rows = await session.execute(_summaries().order_by(col(Tenant.name)))
        return [_summary(row) for row in rows]


async def find_tenant(database: Database, name: TenantName) -> TenantSummary:
    """Return one tenant. Raise TenantNotFound."""
    async with database.reading() as session:
        row = (await session.execute(_summaries().where(col(Tenant.name) == name))).one_or_none()
    if row is None:
        raise tenant_not_found(name)
    return _summary(row)


async def begin_cache_epoch(database: Database, name: TenantName) -> None:
    """Increment the tenant's cache epoch: servers that have read it serve no older derivative. Raise TenantNotFound."""
    async with database.writing() as session:
        row = await lock_tenant(session, name)
        row.cache_epoch += 1


def _summaries() -> Select[Tenant, int, int]:
    """Return the query for the rows that `_summary` reads."""
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
