"""The API as an ASGI application on each database, and clients of each role."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import ASGIApp

from catalog.api.context import ApiContext
from catalog.api.cursors import CursorSealer
from catalog.api.openapi import DescribedApi
from catalog.api.rate_limits import RateLimiter
from catalog.core.roles import Principal, Role, Scope
from catalog.management import create_api, create_application
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.refusals import SqlRefusals
from catalog.records.render_records import SqlRenderRecords
from catalog.tenants.signers import SignerCache
from catalog.tenants.tenant_repository import SqlTenantRepository
from catalog.tokens.authenticator import Authenticator
from catalog.tokens.service import create_token
from proxy.app import Ports, open_delivery
from proxy.backends import open_backends, open_sources
from proxy.core.identifiers import TenantName
from proxy.core.media.formats import ALWAYS_READ
from proxy.core.planning.limits import Limits
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.workers.pool import Pool, open_pool
from tests.catalog.samples import ACME, ORIGIN, add_tenants

MAX_UPLOAD_BYTES = 5 * 2**20

ClientOf = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="session")
async def pixels() -> AsyncIterator[Pool]:
    """One worker for all tests of the API."""
    async with open_pool(Settings(workers=1)) as pool:
        yield pool


LIMITS = Limits(source_bytes=2**20, source_pixels=1_000_000)


@pytest.fixture
async def platform(settings: Settings, database: Database, pixels: Pool) -> AsyncIterator[Platform]:
    """Return the installation, with the tenants acme and zoo."""
    await add_tenants(database)
    async with (
        open_backends(settings) as backends,
        open_sources(settings) as sources,
        open_delivery(
            settings,
            Ports(
                tenants=SqlTenantRepository(database, LIMITS),
                refusals=SqlRefusals(database),
                render_records=SqlRenderRecords(database),
                originals=backends.originals,
                derivatives=backends.derivatives,
                resolved_references=backends.resolved_references,
                sources=sources,
                pixels=pixels,
                workers=1,
            ),
            Metrics(),
        ) as delivery,
    ):
        yield Platform(
            settings=settings,
            database=database,
            originals=backends.originals,
            derivatives=backends.derivatives,
            derivative_store=backends.derivative_store,
            resolved_references=backends.resolved_references,
            sources=sources,
            upload_parts=backends.upload_parts,
            pixels=pixels,
            renderer=delivery,
            signers=SignerCache(database),
        )


@pytest.fixture
def context(platform: Platform, database: Database) -> ApiContext:
    """Return what routes share."""
    return ApiContext(
        platform,
        Authenticator(database),
        RateLimiter(),
        CursorSealer([b"c" * 32]),
        LIMITS,
        ALWAYS_READ,
        "https://img.example.com",
    )


@pytest.fixture(scope="session")
def application() -> DescribedApi:
    """Return the routes, described once: that takes half a second. Tests that add routes make their own."""
    application = create_application()
    assert application.document_bytes
    return application


@pytest.fixture
def api(context: ApiContext, application: DescribedApi) -> ASGIApp:
    """Return the application."""
    return create_api(context, MAX_UPLOAD_BYTES, application)


@pytest.fixture
async def client_of(api: ASGIApp, database: Database) -> AsyncIterator[ClientOf]:
    """Return a function that makes a client with a token of a role, of a tenant, narrowed to scopes."""
    async with AsyncExitStack() as stack:

        async def make(role: Role, tenant: TenantName = ACME, *scopes: Scope) -> httpx.AsyncClient:
            house = Principal("cli:tests", tenant, Role.OPERATOR)
            async with database.writing() as session:
                token = await create_token(session, house, ORIGIN, role=role, scopes=frozenset(scopes))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(api, raise_app_exceptions=False),
                base_url="http://darkroom.test",
                headers={"authorization": f"Bearer {token.text}"},
            )
            return await stack.enter_async_context(client)

        yield make
