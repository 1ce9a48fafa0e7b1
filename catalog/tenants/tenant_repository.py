"""The directory: tenants as the delivery plane knows them, with their keys, rules and whatever they have named."""

import json
from dataclasses import dataclass, field

from sqlmodel import select

from catalog.keys.service import live_secrets
from catalog.presets.service import newest_presets, read_recipe
from catalog.records.database import Database
from catalog.records.tables import Source, Tenant, Watermark
from catalog.records.tenant_lock import missing
from catalog.tenants.rules import own_limits
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.tenant import Tenant as KnownTenant
from proxy.core.tenant import Watermark as Mark
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source as Place


@dataclass(frozen=True, slots=True)
class SqlTenantRepository:
    """The `Tenants` port on the catalog's database; the limits are the installation's, where a tenant has no others."""

    database: Database
    limits: Limits = field(default_factory=Limits)

    async def find(self, name: TenantName) -> KnownTenant | None:
        """Find a tenant by its keys, of which it always has one."""
        async with self.database.reading() as session:
            row = await session.get(Tenant, name)
            if row is None:
                return None
            live = await live_secrets(session, name)
            presets = [one for one in await newest_presets(session, name) if one.recipe is not None]
            watermarks = list(await session.scalars(select(Watermark).where(Watermark.tenant == name)))
            sources = list(await session.scalars(select(Source).where(Source.tenant == name)))
        recipes = {one.name: recipe for one in presets if (recipe := read_recipe(str(one.recipe)))}
        return KnownTenant(
            name,
            tuple(SigningKey.derive(one.secret) for one in live),
            limits=own_limits(row, self.limits),
            rendering=RenderingOptions(linear_light=row.linear, sharpen_downscaled=row.crisp, wide_gamut=row.wide),
            presets=recipes,
            unsigned=frozenset(one.name for one in presets if one.unsigned),
            watermarks={one.name: Mark(Digest(one.original), Size(one.width, one.height)) for one in watermarks},
            hints=row.hints,
            sources=tuple(Place(one.prefix, tuple(json.loads(one.credentials).items())) for one in sources),
            reference_ttl_s=row.reference_ttl_s,
            cache_epoch=row.cache_epoch,
        )

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.database.ping()


async def find_signer(database: Database, name: TenantName) -> KnownTenant:
    """Find a tenant with the keys to sign in its name; TenantNotFound when there is none of the name."""
    tenant = await SqlTenantRepository(database).find(name)
    if tenant is None:
        raise missing(name)
    return tenant
