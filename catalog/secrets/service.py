"""Rotation of the keys that encrypt stored secrets, and a check that the configured keys fit the database."""

from dataclasses import dataclass

from sqlmodel import col, select

from catalog.records.database import Database
from catalog.records.tables import Secret, Source
from catalog.records.tenant_scope import every_tenant
from proxy.core.identifiers import TenantName


@dataclass(frozen=True, slots=True)
class Rotated:
    """Number of values that were encrypted again."""

    secrets: int
    sources: int


async def rotate_secrets(database: Database) -> Rotated:
    """Encrypt all signing secrets and source credentials with the newest key, in one transaction.

    Raise SecretsUnreadable, and change nothing, if a value is encrypted with a key that is not configured.
    """
    with every_tenant():
        return await _rotate(database)


async def _rotate(database: Database) -> Rotated:
    cipher = database.cipher
    async with database.writing() as session:
        keys = list(await session.scalars(select(Secret).order_by(col(Secret.id)).with_for_update()))
        for key in keys:
            secret = cipher.decrypt(key.encrypted_secret)
            key.encrypted_secret = cipher.encrypt(secret)
            key.fingerprint = cipher.fingerprints(TenantName(key.tenant), secret)[0]
        order = (col(Source.tenant), col(Source.prefix))
        sources = list(await session.scalars(select(Source).order_by(*order).with_for_update()))
        for source in sources:
            source.encrypted_credentials = cipher.encrypt(cipher.decrypt(source.encrypted_credentials))
    return Rotated(len(keys), len(sources))


async def check_secrets(database: Database) -> None:
    """Decrypt the newest signing secret. Raise SecretsUnreadable if the configured keys do not fit the database."""
    with every_tenant():
        async with database.reading() as session:
            newest = select(Secret.encrypted_secret).order_by(col(Secret.id).desc()).limit(1)
            token = (await session.scalars(newest)).one_or_none()
    if token is not None:
        database.cipher.decrypt(token)
