"""Sources: prefixes of the addresses that a tenant's references may name, and the credentials for them.

A source in S3 states where its credentials come from: keys of its own, `credentials=machine` (those the AWS SDK finds
on the server) or `credentials=none` (a public bucket). The machine's credentials usually open the bucket with all
tenants' originals, so they are never used by default, and never for that bucket.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.audit.service import record
from catalog.core.errors import SecretsUnreadable, SourceConflict, SourceNotFound
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records import tables
from catalog.records.encryption import SecretCipher
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.url.source_reference import check_prefix

MOST_SOURCES = 50
S3_CREDENTIALS = ("access_key_id", "secret_access_key", "region", "endpoint_url", "credentials")
S3_MODES = ("machine", "none")
"""Values of `credentials`, for a source without keys of its own."""
MOST_CREDENTIALS = 10
LONGEST_NAME = 128
LONGEST_CREDENTIAL = 2_048


@dataclass(frozen=True, slots=True)
class Source:
    """A source, with the names of its credentials but not their values."""

    prefix: str
    credentials: tuple[str, ...]
    created_at: datetime
    """When it was created, or its credentials were replaced."""

    @property
    def id(self) -> str:
        """The name of the source in paths of the API: a prefix has slashes."""
        return source_id(self.prefix)


def source_id(prefix: str) -> str:
    """Return the first 32 hex digits of the SHA-256 of a prefix."""
    return sha256(prefix.encode()).hexdigest()[:32]


async def create_source(  # noqa: PLR0913, PLR0917 - the columns of a row
    session: AsyncSession,
    cipher: SecretCipher,
    principal: Principal,
    origin: Origin,
    prefix: str,
    credentials: Mapping[str, str],
    *,
    store_bucket: str,
) -> Source:
    """Allow a source. Raise SourceConflict if it is allowed already, and what `put_source` raises."""
    await lock_tenant(session, principal.tenant)
    if await session.get(tables.Source, (principal.tenant, check_prefix(prefix))) is not None:
        raise SourceConflict(
            f"Tenant {principal.tenant} has this source already: change it, or specify another prefix."
        )
    return await put_source(session, cipher, principal, origin, prefix, credentials, store_bucket=store_bucket)


async def put_source(  # noqa: PLR0913, PLR0917 - the columns of a row
    session: AsyncSession,
    cipher: SecretCipher,
    principal: Principal,
    origin: Origin,
    prefix: str,
    credentials: Mapping[str, str],
    *,
    store_bucket: str = "",
) -> Source:
    """Allow a source, or replace its credentials. `store_bucket` is the bucket of the installation's own store.

    Raise TenantNotFound, SourceConflict, or MalformedRequest for an invalid prefix.
    """
    prefix, tenant = check_prefix(prefix), principal.tenant
    check_credentials(prefix, credentials, store_bucket)
    await lock_tenant(session, tenant)
    row, before = await session.get(tables.Source, (tenant, prefix)), None
    if row is None:
        count = select(func.count()).where(tables.Source.tenant == tenant)
        if (await session.scalars(count)).one() >= MOST_SOURCES:
            raise SourceConflict(f"Tenant {tenant} has {MOST_SOURCES} sources: delete one first.")
        row = tables.Source(tenant=tenant, prefix=prefix, encrypted_credentials="")
    else:
        before = _audited(row, cipher)
    row.encrypted_credentials, row.created_at = cipher.encrypt(json.dumps(dict(credentials))), now()
    session.add(row)
    await session.flush()
    action, subject = "source.created" if before is None else "source.updated", ("source", source_id(prefix))
    await record(session, principal, origin, action, subject, before=before, after=_audited(row, cipher))
    return _source(row, cipher)


async def list_sources(session: AsyncSession, cipher: SecretCipher, tenant: TenantName) -> list[Source]:
    """Return the sources of a tenant, at most MOST_SOURCES, sorted by prefix. Raise TenantNotFound."""
    await get_tenant(session, tenant)
    return [_source(row, cipher) for row in await _rows(session, tenant)]


async def find_source(session: AsyncSession, cipher: SecretCipher, tenant: TenantName, identifier: str) -> Source:
    """Return the source of an id. Raise SourceNotFound if the tenant has none such."""
    return _source(await find_row(session, tenant, identifier), cipher)


async def find_row(session: AsyncSession, tenant: TenantName, identifier: str) -> tables.Source:
    """Return the row of an id, whose credentials need not be readable. Raise SourceNotFound."""
    for row in await _rows(session, tenant):
        if source_id(row.prefix) == identifier:
            return row
    raise SourceNotFound(f"Tenant {tenant} has no such source: list its sources.")


async def delete_source(
    session: AsyncSession, cipher: SecretCipher, principal: Principal, origin: Origin, prefix: str
) -> None:
    """Delete a source. Raise TenantNotFound, or SourceNotFound if it does not exist."""
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    row = await session.get(tables.Source, (tenant, prefix))
    if row is None:
        raise SourceNotFound(f"Tenant {tenant} has no source {prefix}: list its sources.")
    subject = ("source", source_id(prefix))
    await record(session, principal, origin, "source.deleted", subject, before=_audited(row, cipher))
    await session.delete(row)


async def _rows(session: AsyncSession, tenant: TenantName) -> list[tables.Source]:
    query = select(tables.Source).where(tables.Source.tenant == tenant).order_by(col(tables.Source.prefix))
    return list(await session.scalars(query))


def _audited(row: tables.Source, cipher: SecretCipher) -> dict[str, object]:
    """Return the prefix and the names of the credentials; their values never leave the row."""
    try:
        names = list(_source(row, cipher).credentials)
    except SecretsUnreadable:  # replacing or deleting is how to get rid of such a row
        names = ["unreadable"]
    return {"prefix": row.prefix, "credential_names": names}


def check_credentials(prefix: str, credentials: Mapping[str, str], store_bucket: str) -> None:
    """Raise SourceConflict for credentials that do not fit a source; values may become header fields."""
    _check_fields(credentials)
    if prefix.startswith("s3://"):
        _check_s3(prefix, credentials, store_bucket)


def _check_fields(credentials: Mapping[str, str]) -> None:
    """Check number, names and values."""
    if len(credentials) > MOST_CREDENTIALS:
        raise SourceConflict(f"A source has no more than {MOST_CREDENTIALS} credentials.")
    for name, value in credentials.items():
        if len(name) > LONGEST_NAME or not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise SourceConflict(f"The name of a credential has 1 to {LONGEST_NAME} letters, digits, - and _.")
        if not value or len(value) > LONGEST_CREDENTIAL or not (value.isascii() and value.isprintable()):
            raise SourceConflict(f"Credential {name} takes 1 to {LONGEST_CREDENTIAL} printable ASCII characters.")


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
