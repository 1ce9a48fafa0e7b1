"""Where the installation is opened, for a server and for a worker alike: settings in, database, stores, pixels out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from catalog.adapters.clamd import scanning_of
from catalog.ports import Platform
from catalog.records.refusals import SqlRefusals
from catalog.records.render_records import SqlRenderRecords
from catalog.records.schema import open_database
from catalog.tenants.rules import limits_of
from catalog.tenants.signers import SignerCache
from catalog.tenants.tenant_repository import SqlTenantRepository
from proxy.app import DeliveryApp, Ports, open_delivery
from proxy.backends import open_backends, open_sources
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.workers.pool import Pool, open_pool


@dataclass(frozen=True, slots=True)
class OpenPlatform:
    """The installation, and the parts of it that only the process itself asks."""

    platform: Platform
    pool: Pool
    delivery: DeliveryApp


@asynccontextmanager
async def open_platform(settings: Settings, metrics: Metrics) -> AsyncIterator[OpenPlatform]:
    """Open everything that the settings name, workers first, and close it in the opposite order."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings))
        backends = await stack.enter_async_context(open_backends(settings, on_skip=metrics.count_skip))
        sources = await stack.enter_async_context(open_sources(settings))
        database = await stack.enter_async_context(open_database(settings))
        ports = Ports(
            tenants=SqlTenantRepository(database, limits_of(settings)),
            refusals=SqlRefusals(database),
            render_records=SqlRenderRecords(database),
            originals=backends.originals,
            derivatives=backends.derivatives,
            resolved_references=backends.resolved_references,
            sources=sources,
            pixels=pool,
            workers=pool.size,
        )
        delivery = await stack.enter_async_context(open_delivery(settings, ports, metrics))
        platform = Platform(
            settings=settings,
            database=database,
            originals=backends.originals,
            derivatives=backends.derivatives,
            derivative_store=backends.derivative_store,
            resolved_references=backends.resolved_references,
            sources=sources,
            upload_parts=backends.upload_parts,
            pixels=pool,
            renderer=delivery,
            signers=SignerCache(database),
            scanning=scanning_of(settings.clamd, backends.quarantine),
        )
        yield OpenPlatform(platform, pool, delivery)
