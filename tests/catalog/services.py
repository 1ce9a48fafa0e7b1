"""Use cases of the catalog in a transaction of their own, on behalf of the operator, as the commands run them."""

from collections.abc import Mapping

from catalog.core.roles import Role
from catalog.keys import service as keys
from catalog.keys.service import Key, NewKey
from catalog.presets import service as presets
from catalog.presets.service import Preset
from catalog.records.database import Database
from catalog.settings import service as settings
from catalog.sources import service as sources
from catalog.sources.service import Source
from catalog.tenants import service as tenants
from catalog.tenants.service import TenantSummary
from catalog.uploads.service import Uploaded
from catalog.watermarks import service as watermarks
from catalog.watermarks.service import Picture, Watermark
from proxy.core.identifiers import TenantName
from proxy.core.recipe.presets import NO_LADDER, Ladder
from tests.catalog.samples import ORIGIN, principal_of


async def create_tenant(database: Database, name: TenantName, secret: str | None = None) -> NewKey:
    async with database.writing() as session:
        owner = principal_of(Role.OPERATOR, name)
        return await tenants.create_tenant(session, database.cipher, owner, ORIGIN, name, secret)


async def list_tenants(database: Database) -> list[TenantSummary]:
    async with database.reading() as session:
        return await tenants.list_tenants(session)


async def find_tenant(database: Database, name: TenantName) -> TenantSummary:
    async with database.reading() as session:
        return await tenants.find_tenant(session, name)


async def begin_cache_epoch(database: Database, name: TenantName) -> None:
    async with database.writing() as session:
        await tenants.begin_cache_epoch(session, principal_of(Role.OPERATOR, name), ORIGIN)


async def change_rules(
    database: Database, name: TenantName, *, limits: Mapping[str, int | None] | None = None, **rules: int | None
) -> None:
    async with database.writing() as session:
        owner = principal_of(Role.OPERATOR, name)
        await settings.change_rules(session, owner, ORIGIN, limits=limits, **rules)  # type: ignore[arg-type]


async def create_key(database: Database, tenant: TenantName, secret: str | None = None) -> NewKey:
    async with database.writing() as session:
        owner = principal_of(Role.OPERATOR, tenant)
        return await keys.create_key(session, database.cipher, owner, ORIGIN, secret)


async def list_keys(database: Database, tenant: TenantName) -> list[Key]:
    async with database.reading() as session:
        return await keys.list_keys(session, database.cipher, tenant)


async def retire_key(database: Database, tenant: TenantName, key: int) -> None:
    async with database.writing() as session:
        await keys.retire_key(session, principal_of(Role.OPERATOR, tenant), ORIGIN, key)


async def put_preset(
    database: Database,
    tenant: TenantName,
    name: str,
    recipe: str,
    *,
    unsigned: bool = False,
    ladder: Ladder = NO_LADDER,
) -> Preset:
    async with database.writing() as session:
        owner = principal_of(Role.OPERATOR, tenant)
        return await presets.put_preset(session, owner, ORIGIN, name, recipe, unsigned=unsigned, ladder=ladder)


async def list_presets(database: Database, tenant: TenantName) -> list[Preset]:
    async with database.reading() as session:
        return await presets.list_presets(session, tenant)


async def list_versions(database: Database, tenant: TenantName, name: str) -> list[Preset]:
    async with database.reading() as session:
        return await presets.list_versions(session, tenant, name)


async def delete_preset(database: Database, tenant: TenantName, name: str) -> None:
    async with database.writing() as session:
        await presets.delete_preset(session, principal_of(Role.OPERATOR, tenant), ORIGIN, name)


async def put_watermark(database: Database, tenant: TenantName, name: str, upload: Uploaded) -> Watermark:
    picture = Picture(upload.original, upload.width, upload.height)
    async with database.writing() as session:
        return await watermarks.put_watermark(session, principal_of(Role.OPERATOR, tenant), ORIGIN, name, picture)


async def list_watermarks(database: Database, tenant: TenantName) -> list[Watermark]:
    async with database.reading() as session:
        return await watermarks.list_watermarks(session, tenant)


async def delete_watermark(database: Database, tenant: TenantName, name: str) -> None:
    async with database.writing() as session:
        await watermarks.delete_watermark(session, principal_of(Role.OPERATOR, tenant), ORIGIN, name)


async def put_source(
    database: Database,
    tenant: TenantName,
    prefix: str,
    credentials: Mapping[str, str] | None = None,
    *,
    store_bucket: str = "",
) -> Source:
    async with database.writing() as session:
        owner, values = principal_of(Role.OPERATOR, tenant), dict(credentials or {})
        return await sources.put_source(
            session, database.cipher, owner, ORIGIN, prefix, values, store_bucket=store_bucket
        )


async def list_sources(database: Database, tenant: TenantName) -> list[Source]:
    async with database.reading() as session:
        return await sources.list_sources(session, database.cipher, tenant)


async def delete_source(database: Database, tenant: TenantName, prefix: str) -> None:
    async with database.writing() as session:
        await sources.delete_source(session, database.cipher, principal_of(Role.OPERATOR, tenant), ORIGIN, prefix)
