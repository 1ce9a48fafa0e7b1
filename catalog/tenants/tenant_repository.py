"""Tenants as the delivery plane uses them: keys, rules, presets, watermarks and sources."""

import json
from dataclasses import dataclass, field

from sqlmodel import select

from catalog.keys.service import live_keys
from catalog.presets.ladder import read_ladder
from catalog.presets.service import newest_presets, read_recipe
from catalog.records import tables
from catalog.records.database import Database
from catalog.records.encryption import SecretCipher
from catalog.records.tenant_lock import tenant_not_found
from catalog.records.tenant_scope import every_tenant, tenant_scope
from catalog.tenants.rules import own_limits
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant, Watermark
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source


@dataclass(frozen=True, slots=True)
class SqlTenantRepository:
    """The `Tenants` port on the catalog's database; `limits` apply where a tenant has none of its own."""

    database: Database
    limits: Limits = field(default_factory=Limits)

    async def find(self, name: TenantName) -> Tenant | None:
        """Return the tenant with all that belongs to it, or None. Raise SecretsUnreadable without the right key."""
        with tenant_scope(name):
            return await self._read(name)

    async def _read(self, name: TenantName) -> Tenant | None:
        async with self.database.reading() as session:
            row = await session.get(tables.Tenant, name)
            if row is None:
                return None
            keys = await live_keys(session, name)
            presets = [preset for preset in await newest_presets(session, name) if preset.recipe is not None]
            watermarks = await session.scalars(select(tables.Watermark).where(tables.Watermark.tenant == name))
            sources = await session.scalars(select(tables.Source).where(tables.Source.tenant == name))
            cipher = self.database.cipher
            return Tenant(
                name,
                tuple(SigningKey.derive(cipher.decrypt(key.encrypted_secret)) for key in keys),
                limits=own_limits(row, self.limits),
                rendering=RenderingOptions(linear_light=row.linear, sharpen_downscaled=row.crisp, wide_gamut=row.wide),
                presets=_recipes(presets),
                unsigned={preset.name: read_ladder(preset.ladder) for preset in presets if preset.unsigned},
                watermarks={mark.name: _watermark(mark) for mark in watermarks},
                sources=tuple(_source(source, cipher) for source in sources),
                hints=row.hints,
                reference_ttl_s=row.reference_ttl_s,
                cache_epoch=row.cache_epoch,
            )

    async def names(self) -> frozenset[TenantName]:
        """Return the names of all tenants."""
        with every_tenant():
            async with self.database.reading() as session:
                return frozenset(map(TenantName, await session.scalars(select(tables.Tenant.name))))

    async def ping(self) -> None:
        """Return if the database answers. Raise Unavailable otherwise."""
        await self.database.ping()


async def find_signer(database: Database, name: TenantName) -> Tenant:
    """Return a tenant with the keys to sign its URLs. Raise TenantNotFound."""
    tenant = await SqlTenantRepository(database).find(name)
    if tenant is None:
        raise tenant_not_found(name)
    return tenant


def _recipes(presets: list[tables.Preset]) -> dict[str, Recipe]:
    recipes = ((preset.name, read_recipe(str(preset.recipe))) for preset in presets)
    return {name: recipe for name, recipe in recipes if recipe is not None}


def _watermark(row: tables.Watermark) -> Watermark:
    return Watermark(Digest(row.original), Size(row.width, row.height))


def _source(row: tables.Source, cipher: SecretCipher) -> Source:
    credentials: dict[str, str] = json.loads(cipher.decrypt(row.encrypted_credentials))
    return Source(row.prefix, tuple(credentials.items()))
