"""Sources: the places that a tenant's references may lead to, and what opens them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from catalog.core.errors import SourceConflict
from catalog.records.database import Database
from catalog.records.tables import Source as SourceRecord
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.url.source_reference import check_prefix

MOST_SOURCES = 50
S3_CREDENTIALS = ("access_key_id", "secret_access_key", "region", "endpoint_url")
_MOST_CREDENTIALS = 10
_LONGEST_CREDENTIAL = 2_048


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it is listed: of its credentials the names alone."""

    prefix: str
    credentials: tuple[str, ...]
    created_at: datetime


async def put_source(
    database: Database, tenant: TenantName, prefix: str, credentials: Mapping[str, str] | None = None
) -> Source:
    """Allow a source, or change what opens it.

    TenantNotFound, SourceConflict, MalformedRequest for what is no prefix.
    """
    prefix = check_prefix(prefix)
    _check_credentials(prefix, credentials or {})
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(SourceRecord, (tenant, prefix))
        if row is None:
            count = select(func.count()).where(SourceRecord.tenant == tenant)
            if (await session.scalars(count)).one() >= MOST_SOURCES:
                raise SourceConflict(f"Tenant {tenant} has {MOST_SOURCES} sources: delete one first.")
            row = SourceRecord(tenant=tenant, prefix=prefix)
        row.credentials, row.created_at = json.dumps(dict(credentials or {})), now()
        session.add(row)
        return _source(row)


async def list_sources(database: Database, tenant: TenantName) -> list[Source]:
    """List a tenant's sources by prefix; TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(SourceRecord).where(SourceRecord.tenant == tenant).order_by(col(SourceRecord.prefix))
        return [_source(one) for one in await session.scalars(query)]


async def delete_source(database: Database, tenant: TenantName, prefix: str) -> None:
    """Allow a source no longer; TenantNotFound, SourceConflict where there is none."""
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(SourceRecord, (tenant, prefix))
        if row is None:
            raise SourceConflict(f"Tenant {tenant} has no such source: see darkroom source list {tenant}.")
        await session.delete(row)


def _check_credentials(prefix: str, credentials: Mapping[str, str]) -> None:
    if prefix.startswith("s3://") and (strange := sorted(credentials.keys() - set(S3_CREDENTIALS))):
        raise SourceConflict(f"Credentials of S3 are {', '.join(S3_CREDENTIALS)}; not {', '.join(strange)}.")
    if ("access_key_id" in credentials) != ("secret_access_key" in credentials) and prefix.startswith("s3://"):
        raise SourceConflict("An access_key_id and a secret_access_key go together.")
    if len(credentials) > _MOST_CREDENTIALS:
        raise SourceConflict(f"A source has at most {_MOST_CREDENTIALS} credentials.")
    for name, value in credentials.items():
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise SourceConflict("A credential's name is letters, digits, - and _.")
        if not value or len(value) > _LONGEST_CREDENTIAL or not (value.isascii() and value.isprintable()):
            raise SourceConflict(f"Credential {name} takes 1 to {_LONGEST_CREDENTIAL} printable ASCII characters.")


def _source(row: SourceRecord) -> Source:
    return Source(row.prefix, tuple(sorted(json.loads(row.credentials))), row.created_at)
