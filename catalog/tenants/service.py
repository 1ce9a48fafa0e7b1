"""Tenants: creation, listing, deletion, and their cache epochs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy import Row, Select, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.audit.service import record
from catalog.core.errors import TenantConflict, TenantExists
from catalog.core.job_state import JobState
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.keys.service import NewKey, add_secret, choose_secret
from catalog.presets.service import add_defaults
from catalog.records.encryption import SecretCipher
from catalog.records.tables import AuditEvent, Image, Job, Original, Record, Secret, Tenant, UploadSession
from catalog.records.tenant_lock import lock_tenant, tenant_not_found
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from sqlmodel.sql.expression import SelectOfScalar

_UNFINISHED_UPLOADS = ("open", "received")
_UNFINISHED_JOBS = (JobState.QUEUED.value, JobState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """A tenant with its rules and the number of its keys and originals."""

    name: TenantName
    created_at: datetime
    keys: int
    """Number of keys that verify."""
    originals: int
    images: int
    """Those in the trash included."""
    linear: bool
    crisp: bool
    wide: bool
    hints: bool
    reference_ttl_s: int
    limits: Mapping[str, int]
    """Limits that differ from the installation's."""


async def create_tenant(  # noqa: PLR0913, PLR0917 - what a tenant is created with
    session: AsyncSession,
    cipher: SecretCipher,
    principal: Principal,
    origin: Origin,
    name: TenantName,
    secret: str | None = None,
) -> NewKey:
    """Create a tenant with its first key and the default presets.

    Raise TenantExists if the name is taken, KeyConflict for an invalid secret.
    """
    secret, owner = choose_secret(secret), replace(principal, tenant=name)
    session.add(Tenant(name=name))
    try:
        await session.flush()
    except IntegrityError:
        raise TenantExists(f"Tenant {name} already exists: choose another name.") from None
    add_defaults(session, name)
    await record(session, owner, origin, "tenant.created", ("tenant", name))
    return await add_secret(session, cipher, owner, origin, secret)


async def list_tenants(
    session: AsyncSession, limit: int | None = None, after: TenantName | None = None
) -> list[TenantSummary]:
    """Return at most `limit` tenants behind the name `after`, sorted by name."""
    query = _summaries().order_by(col(Tenant.name)).limit(limit)
    if after is not None:
        query = query.where(col(Tenant.name) > after)
    return [_summary(row) for row in await session.execute(query)]


async def find_tenant(session: AsyncSession, name: TenantName) -> TenantSummary:
    """Return one tenant. Raise TenantNotFound."""
    row = (await session.execute(_summaries().where(col(Tenant.name) == name))).one_or_none()
    if row is None:
        raise tenant_not_found(name)
    return _summary(row)


async def begin_cache_epoch(session: AsyncSession, principal: Principal, origin: Origin) -> None:
    """Increment the cache epoch of the principal's tenant: servers that have read it serve no older derivative.

    Raise TenantNotFound.
    """
    row = await lock_tenant(session, principal.tenant)
    row.cache_epoch += 1
    await record(session, principal, origin, "tenant.purged", ("tenant", row.name), after={"epoch": row.cache_epoch})


async def delete_tenant(session: AsyncSession, principal: Principal, origin: Origin, name: TenantName) -> None:
    """Delete a tenant that is empty, with its keys, tokens, presets, watermarks, sources, settings and jobs.

    Empty means no image (those in the trash count), no original, and no upload or job under way. So no bytes are left
    behind without a record. Its audit trail is kept, and the deletion is an event of the principal's tenant.
    Raise TenantNotFound, or TenantConflict with what is there.
    """
    await lock_tenant(session, name)
    counts = {word: await _count(session, query) for word, query in _contents(name).items()}
    if any(counts.values()):
        contents = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        raise TenantConflict(
            f"Tenant {name} has {contents}: delete its images for good, and let uploads and jobs finish, first."
        )
    await record(session, principal, origin, "tenant.deleted", ("tenant", name))
    for table in reversed(Record.metadata.sorted_tables):
        if "tenant" in table.columns and table.name != AuditEvent.__tablename__:
            await session.execute(delete(table).where(table.columns["tenant"] == name))
    await session.execute(delete(Tenant).where(col(Tenant.name) == name))


def _contents(name: TenantName) -> dict[str, "SelectOfScalar[int]"]:
    """Return what a tenant must have none of to be deleted, with the query that counts it."""
    count = select(func.count())
    return {
        "images": count.where(Image.tenant == name),
        "originals": count.where(Original.tenant == name),
        "unfinished uploads": count.where(
            UploadSession.tenant == name, col(UploadSession.state).in_(_UNFINISHED_UPLOADS)
        ),
        "unfinished jobs": count.where(Job.tenant == name, col(Job.state).in_(_UNFINISHED_JOBS)),
    }


async def _count(session: AsyncSession, query: "SelectOfScalar[int]") -> int:
    return (await session.scalars(query)).one()


def _summaries() -> Select[Tenant, int, int, int]:
    """Return the query for the rows that `_summary` reads."""
    keys = select(func.count()).where(Secret.tenant == Tenant.name, col(Secret.retired_at).is_(None))
    originals = select(func.count()).where(Original.tenant == Tenant.name)
    images = select(func.count()).where(Image.tenant == Tenant.name)
    return sqlalchemy.select(Tenant, keys.scalar_subquery(), originals.scalar_subquery(), images.scalar_subquery())


def _summary(row: Row[Tenant, int, int, int]) -> TenantSummary:
    tenant, keys, originals, images = row
    return TenantSummary(
        name=TenantName(tenant.name),
        created_at=tenant.created_at,
        keys=keys,
        originals=originals,
        images=images,
        linear=tenant.linear,
        crisp=tenant.crisp,
        wide=tenant.wide,
        hints=tenant.hints,
        reference_ttl_s=tenant.reference_ttl_s,
        limits=json.loads(tenant.limits),
    )
