"""The management plane: the API as one FastAPI application under `/api`, and the engine of its jobs.

`catalog.app` imports this module only where the plane is served: delivery nodes never load FastAPI.
"""

import asyncio
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
from catalog.api.cursors import CursorSealer
from catalog.api.discovery import router as discovery
from catalog.api.jwt import JwtVerifier, read_issuers
from catalog.api.openapi import ERRORS, VERSION, DescribedApi
from catalog.api.rate_limits import RateLimiter
from catalog.api.strict_json import StrictJson
from catalog.audit.routes import router as audit
from catalog.collections.routes import router as collections
from catalog.core.upload_rules import DEFAULT_MAX_BYTES
from catalog.images.routes import router as images
from catalog.jobs.routes import router as jobs
from catalog.ports import Platform
from catalog.tenants.rules import limits_of
from catalog.tokens.authenticator import Authenticator
from catalog.tokens.routes import router as tokens
from catalog.uploads.routes import router as uploads
from catalog.worker import create_engine, handlers_of, running
from proxy.core.media.formats import readable
from proxy.telemetry.metrics import Metrics

ROUTERS: Final[Sequence[APIRouter]] = (discovery, audit, collections, images, jobs, tokens, uploads)

MULTIPART_BYTES: Final = 2**20
"""What a multipart body may have beside its file."""

_UPLOADS: Final = ("/api/images/upload", "/api/uploads/", "/api/tus")
"""Beginnings of the paths whose bodies are files; every other body is read into memory."""
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
        limiter = RateLimiter(redis_url=settings.redis_url)
        stack.push_async_callback(limiter.close)
        keys = JwksKeys()
        stack.push_async_callback(keys.close)
        verify_jwt = JwtVerifier(read_issuers(settings.jwt_issuers.get_secret_value()), keys)
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
        yield create_api(context, DEFAULT_MAX_BYTES + MULTIPART_BYTES, application)


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
    app.add_middleware(StrictJson)
    app.add_middleware(Authorization, routes=Routes(app))  # the outer one: it is asked first
    return app


def create_api(context: ApiContext, max_upload_bytes: int, application: DescribedApi | None = None) -> ASGIApp:
    """Return the API as an ASGI application; its paths begin with `/api`."""
    app = application or create_application()
    app.state.context = context
    settings = context.platform.settings
    pace = Pace(settings.body_bytes_per_s, settings.body_window_s)

    def limit(scope: Scope) -> int:
        takes_file = scope["path"].startswith(_UPLOADS) or scope["path"].endswith("/replace")
        return max_upload_bytes if takes_file else MAX_JSON_BYTES

    return _Envelope(BodyLimits(app, limit, pace))


class _Envelope:
    """Gives every request an id, and every answer the fields that all answers have."""

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

        await self._app(scope, receive, send_complete)


def _operation_id(route: APIRoute) -> str:
    """Return the function's name, so that names in generated clients are stable."""
    return route.name
