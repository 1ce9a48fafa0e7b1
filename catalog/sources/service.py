"""Sources: prefixes of the addresses that a tenant's references may name, and the credentials for them.

A source in S3 states where its credentials come from: keys of its own, `credentials=machine` (those the AWS SDK finds
on the server) or `credentials=none` (a public bucket). The machine's credentials usually open the bucket with all
tenants' originals, so they are never used by default, and never for that bucket.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from catalog.core.errors import SourceConflict
from catalog.records import tables
from catalog.records.database import Database
from catalog.records.encryption import SecretCipher
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.url.source_reference import check_prefix

MOST_SOURCES = 50
S3_CREDENTIALS = ("access_key_id", "secret_access_key", "region", "endpoint_url", "credentials")
S3_MODES = ("machine", "none")
"""Values of `credentials`, for a source without keys of its own."""
_MOST_CREDENTIALS = 10
_LONGEST_NAME = 128
_LONGEST_CREDENTIAL = 2_048


@dataclass(frozen=True, slots=True)
class Source:
    """A source, with the names of its credentials but not their values."""

    prefix: str
    credentials: tuple[str, ...]
    created_at: datetime


async def put_source(
    database: Database,
    tenant: TenantName,
    prefix: str,
    credentials: Mapping[str, str] | None = None,
    *,
    store_bucket: str = "",
) -> Source:
    """Allow a source, or replace its credentials. `store_bucket` is the bucket of the installation's own store.

    Raise TenantNotFound, SourceConflict, or MalformedRequest for an invalid prefix.
    """
    prefix, credentials = check_prefix(prefix), dict(credentials or {})
    _check_credentials(credentials)
    if prefix.startswith("s3://"):
        _check_s3(prefix, credentials, store_bucket)
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(tables.Source, (tenant, prefix))
        if row is None:
            count = select(func.count()).where(tables.Source.tenant == tenant)
            if (await session.scalars(count)).one() >= MOST_SOURCES:
                raise SourceConflict(f"Tenant {tenant} has {MOST_SOURCES} sources: delete one first.")
            row = tables.Source(tenant=tenant, prefix=prefix, encrypted_credentials="")
        row.encrypted_credentials, row.created_at = database.cipher.encrypt(json.dumps(credentials)), now()
        session.add(row)
        return _source(row, database.cipher)


async def list_sources(database: Database, tenant: TenantName) -> list[Source]:
    """Return the sources of a tenant, sorted by prefix. Raise TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(tables.Source).where(tables.Source.tenant == tenant).order_by(col(tables.Source.prefix))
        return [_source(row, database.cipher) for row in await session.scalars(query)]


async def delete_source(database: Database, tenant: TenantName, prefix: str) -> None:
    """Delete a source. Raise TenantNotFound, or SourceConflict if it does not exist."""
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(tables.Source, (tenant, prefix))
        if row is None:
            raise SourceConflict(f"Tenant {tenant} has no source {prefix}: see darkroom source list {tenant}.")
        await session.delete(row)


def _check_credentials(credentials: Mapping[str, str]) -> None:
    """Check number, names and values, which may become header fields."""
    if len(credentials) > _MOST_CREDENTIALS:
        raise SourceConflict(f"A source has no more than {_MOST_CREDENTIALS} credentials.")
    for name, value in credentials.items():
        if len(name) > _LONGEST_NAME or not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise SourceConflict(f"The name of a credential has 1 to {_LONGEST_NAME} letters, digits, - and _.")
        if not value or len(value) > _LONGEST_CREDENTIAL or not (value.isascii() and value.isprintable()):
            raise SourceConflict(f"Credential {name} takes 1 to {_LONGEST_CREDENTIAL} printable ASCII characters.")


def _check_s3(prefix: str, credentials: Mapping[str, str], store_bucket: str) -> None:
    """Check that the credentials of an S3 source are complete and explicit."""
    if unknown := sorted(credentials.keys() - set(S3_CREDENTIALS)):
        raise SourceConflict(f"S3 has no credential {', '.join(unknown)}. Specify {', '.join(S3_CREDENTIALS)}.")
    keys = credentials.keys() & {"access_key_id", "secret_access_key"}
    if len(keys) == 1:
        raise SourceConflict("Specify access_key_id and secret_access_key together.")
    mode = credentials.get("credentials")
    if bool(keys) == (mode is not None) or (mode is not None and mode not in S3_MODES):
        raise SourceConflict(
            "Specify access_key_id and secret_access_key for a source in S3; or credentials=none for a public bucket; "
            "or credentials=machine to use the credentials of the servers."
        )
    if not keys and store_bucket and prefix.removeprefix("s3://").partition("/")[0] == store_bucket:
        raise SourceConflict(
            f"s3://{store_bucket} is the store of this installation and holds the originals of all tenants: "
            "specify keys that open only the folder of this source, or another bucket."
        )


def _source(row: tables.Source, cipher: SecretCipher) -> Source:
    names = json.loads(cipher.decrypt(row.encrypted_credentials))
    return Source(row.prefix, tuple(sorted(names)), row.created_at)
