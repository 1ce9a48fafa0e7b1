"""The management plane: the API as one FastAPI application under `/api`, and the engine of its jobs.

`catalog.app` imports this module only where the plane is served: delivery nodes never load FastAPI.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.adapters.jwks import JwksKeys
from catalog.api import problems
from catalog.api.authorization import Authorization, Routes
from catalog.api.body import MAX_JSON_BYTES, BodyLimits, Pace
from catalog.api.context import ApiContext
from catalog.api.cross_origin import CrossOrigin
from catalog.api.cursors import CursorSealer
from catalog.api.discovery import router as discovery
from catalog.api.jwt import JwtVerifier, read_issuers
from catalog.api.openapi import ERRORS, VERSION, DescribedApi
from catalog.api.rate_limits import RateLimiter, read_quotas
from catalog.api.strict_json import StrictJson
from catalog.api.tus import TusMessages
from catalog.audit.routes import router as audit
from catalog.caches.routes import router as caches
from catalog.collections.routes import router as collections
from catalog.conversions.routes import router as conversions
from catalog.core.upload_rules import DEFAULT_MAX_BYTES
from catalog.duplicates.routes import router as duplicates
from catalog.entity_images.routes import router as entity_images
from catalog.images.routes import router as images
from catalog.imports.routes import router as imports
from catalog.jobs.routes import router as jobs
from catalog.keys.routes import router as keys
from catalog.ports import Platform
from catalog.presets.routes import router as presets
from catalog.records.tenant_scope import no_tenant
from catalog.settings.origins import OriginCache
from catalog.settings.routes import router as settings_
from catalog.sources.routes import router as sources
from catalog.tenants.routes import router as tenants
from catalog.tenants.rules import limits_of
from catalog.tokens.authenticator import Authenticator
from catalog.tokens.routes import router as tokens
from catalog.trash.routes import router as trash
from catalog.uploads.direct_routes import router as direct_uploads
from catalog.uploads.routes import router as uploads
from catalog.uploads.tus_routes import router as tus
from catalog.urls.routes import router as urls
from catalog.versions.routes import REPLACEMENT
from catalog.versions.routes import router as versions
from catalog.watermarks.routes import router as watermarks
from catalog.worker import create_engine, handlers_of, running
from proxy.core.media.formats import readable
from proxy.telemetry.metrics import Metrics

ROUTERS: Final[Sequence[APIRouter]] = (
    discovery,
    audit,
    caches,
    collections,
    conversions,
    duplicates,
    entity_images,
    images,
    imports,
    jobs,
    keys,
    presets,
    settings_,
    sources,
    tenants,
    direct_uploads,
    tokens,
    trash,
    tus,
    uploads,
    urls,
    versions,
    watermarks,
)

MULTIPART_BYTES: Final = 2**20
"""What a multipart body may have beside its file."""

_UPLOADS: Final = "/api/images/upload"
"""Beginning of the paths whose bodies are forms with files; every body but these and streams is read into memory."""
_STREAM: Final = re.compile("/api/tus(/.*)?|/api/uploads/[^/]+/content")
"""Paths whose bodies are the bytes of one file."""
_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


@asynccontextmanager
async def open_management(platform: Platform, metrics: Metrics) -> AsyncIterator[ASGIApp]:
    """Run the management plane: the API, and the engine of its jobs."""
    settings, database = platform.settings, platform.database
    async with AsyncExitStack() as stack:
        limiter = RateLimiter(read_quotas(settings.api_rates), settings.redis_url)
        stack.push_async_callback(limiter.close)
        jwks = JwksKeys()
        stack.push_async_callback(jwks.close)
        verify_jwt = JwtVerifier(read_issuers(settings.jwt_issuers.get_secret_value()), jwks)
        authenticator = Authenticator(database, verify_jwt)
        metrics.counter(
            "darkroom_failed_authentications_total",
            "Requests to the API with a wrong token, or without one.",
            lambda: authenticator.failed,
        )
        context = ApiContext(
            platform=platform,
            authenticator=authenticator,
            rate_limiter=limiter,
            cursors=CursorSealer(database.cipher.derive("cursor")),
            limits=limits_of(settings),
            formats=readable(settings.formats),
            base_url=settings.base_url,
        )
        await stack.enter_async_context(running(create_engine(settings, database, handlers_of(platform))))
        application = create_application()
        # Made once, and slow: not while a request waits.
        await asyncio.to_thread(lambda: application.document_bytes)
        # a tenant's rules may take larger files than the default, up to the installation's limit
        yield create_api(context, max(DEFAULT_MAX_BYTES, context.limits.source_bytes) + MULTIPART_BYTES, application)


def create_application() -> DescribedApi:
    """Return the FastAPI application with all routes; it needs a context to answer, and none to describe itself."""
    app = DescribedApi(
        title="Darkroom",
        version="1",
        summary="Images of a tenant: upload, describe, link, transform, deliver.",
        openapi_url=None,
        responses=ERRORS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.openapi_version = VERSION
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    routes = Routes(app)
    app.add_middleware(StrictJson, takes_json=routes.takes_json)
    app.add_middleware(Authorization, routes=routes)  # the outer one: it is asked first
    return app


def create_api(context: ApiContext, max_upload_bytes: int, application: DescribedApi | None = None) -> ASGIApp:
    """Return the API as an ASGI application; its paths begin with `/api`."""
    app = application or create_application()
    app.state.context = context
    settings = context.platform.settings
    pace = Pace(settings.body_bytes_per_s, settings.body_window_s)

    def limit(scope: Scope) -> int:
        if _STREAM.fullmatch(scope["path"]):
            return context.limits.source_bytes
        takes_files = scope["path"].startswith(_UPLOADS) or REPLACEMENT.fullmatch(scope["path"])
        return max_upload_bytes if takes_files else MAX_JSON_BYTES

    origins = OriginCache(context.database, settings.tenant_ttl_s)
    return _Envelope(CrossOrigin(TusMessages(BodyLimits(app, limit, pace)), origins))


class _Envelope:
    """Gives every request an id and a tenant scope of its own, and every answer the fields that all answers have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def send_complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                fields = [*_SECURITY_HEADERS, (b"x-request-id", request_id.encode()), (b"cache-control", b"no-store")]
                limits = state.get("rate_limit") or {}
                fields += [(name.encode(), value.encode()) for name, value in limits.items()]
                message = {**message, "headers": headers + [field for field in fields if field[0] not in present]}
            await send(message)

        # uvicorn starts the task of a pipelined request within that of the request before it
        with no_tenant():
            await self._app(scope, receive, send_complete)


def _operation_id(route: APIRoute) -> str:
    """Return the function's name, so that names in generated clients are stable."""
    return route.name
