"""The one place where the server is wired: the opened installation → ASGI application.

Pictures (`/t/…`) go to the delivery application by their raw path, before any routing. Everything else is Starlette's:
the health endpoints, the demo page, and whatever the management plane mounts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Literal

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.platform import open_platform
from proxy.core.errors import DarkroomError, RouteNotFound, Unavailable
from proxy.http.endpoint import send_problem
from proxy.http.headers import require_host
from proxy.http.health import Health
from proxy.http.ops_access import OpsAccess
from proxy.http.problem import Headers, new_request_id, problem_response, request_id_header
from proxy.settings import Settings
from proxy.telemetry import logs
from proxy.telemetry.metrics import Metrics
from proxy.workers.pool import Pool

if TYPE_CHECKING:
    from proxy.app import DeliveryApp

log = structlog.get_logger("darkroom")


Plane = Literal["all", "delivery", "management"]


def create_app(settings: Settings | None = None, only: Plane = "all") -> "App":
    """Return the application of both planes or one; settings are read from the environment if none are given.

    Configures logging.
    """
    settings = settings or Settings()
    return App(settings, logs.configure(settings.log_format, settings.log_level), only)


class App:
    """The ASGI application of the public port; `ops` is the one of the operations port.

    The lifespan opens everything before the first request and closes it after the last.
    """

    def __init__(self, settings: Settings, log_writer: logs.LogWriter, only: Plane = "all") -> None:
        self._settings = settings
        self._only = only
        self._management: ASGIApp | None = None
        self.log_writer = log_writer
        self._delivery: DeliveryApp
        self._health: Health
        token, public = settings.ops_token.get_secret_value(), settings.ops_port is None
        here = self._ops_routes(OpsAccess(token, public=True)) if public else []
        self._site = Starlette(
            routes=[Route("/healthz", self._healthz), *here, Route("/demo", self._demo)],
            lifespan=self._lifespan,
            exception_handlers={404: _not_found},
        )
        ops_routes = self._ops_routes(OpsAccess(token, public=False))
        ops_site = Starlette(
            routes=[Route("/healthz", self._healthz), *ops_routes], exception_handlers={404: _not_found}
        )
        self.ops = OpsApp(ops_site, self.note_unparsable)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch: pictures to delivery, `/api` to the management plane, everything else to Starlette."""
        if scope["type"] == "http" and scope["raw_path"].startswith(b"/t/") and self._only != "management":
            await self._delivery(scope, receive, send)
        elif scope["type"] == "http" and self._management is not None and _is_api(scope["raw_path"]):
            await _call_checked(self._management, scope, receive, send)
        else:
            await _call_checked(self._site, scope, receive, send)

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET for a picture in memory without waiting; return None if the application has to be called."""
        if not target.startswith(b"/t/") or self._only == "management":
            return None
        return self._delivery.respond_from_memory(target, fields)

    def note_unparsable(self, request_id: str, sent_bytes: int) -> None:
        """Count and log a request that is not HTTP and was answered with 400."""
        self._delivery.note_unparsable(request_id, sent_bytes)

    def _ops_routes(self, access: OpsAccess) -> list[BaseRoute]:
        return [
            Route("/readyz", access.guard(self._readyz, _refuse)),
            Route("/metrics", access.guard(self._metrics, _refuse)),
        ]

    # Routes exist before the lifespan has made what they ask.
    async def _healthz(self, request: Request) -> Response:
        return await self._health.healthz(request)

    async def _readyz(self, request: Request) -> Response:
        return await self._health.readyz(request)

    async def _metrics(self, request: Request) -> Response:
        return await self._health.metrics(request)

    async def _demo(self, request: Request) -> Response:
        """Show the page that `darkroom demo` wrote, if there is one."""
        page = self._settings.home / "demo.html"
        if not await asyncio.to_thread(page.is_file):
            return await _refuse(request)
        return FileResponse(page, media_type="text/html", headers={"cache-control": "no-cache"})

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        settings, metrics = self._settings, Metrics()
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_platform(settings, metrics))
            pool, delivery = opened.pool, opened.delivery
            self._delivery = delivery
            required = {"workers": lambda: _check_workers(pool), **delivery.required_checks}
            self._health = Health(metrics, required, delivery.optional_checks)
            self._export(metrics, pool)
            if self._only != "delivery":
                # delivery nodes never load FastAPI
                from catalog.management import open_management  # noqa: PLC0415

                self._management = await stack.enter_async_context(open_management(opened.platform, metrics))
            log.info(
                "ready",
                renderer_version=pool.renderer_version,
                workers=pool.size,
                sandbox_features=str(pool.sandbox_features),
            )
            yield
            log.info("closing")

    def _export(self, metrics: Metrics, pool: Pool) -> None:
        metrics.gauge("darkroom_workers", "Worker processes that are up, including the spare.", lambda: pool.workers)
        metrics.gauge("darkroom_workers_idle", "Worker processes without a job.", lambda: pool.idle)
        metrics.labelled_counter(
            "darkroom_worker_restarts_total", "Workers replaced, by reason.", "reason", lambda: pool.restarts
        )
        metrics.counter("darkroom_worker_crashes_total", "Workers that ended unexpectedly.", lambda: pool.crashes)
        metrics.counter(
            "darkroom_log_records_dropped_total",
            "Log records not written because the queue was full or the write failed.",
            lambda: self.log_writer.dropped,
        )


class OpsApp:
    """The ASGI application of the operations port: health, readiness, metrics."""

    def __init__(self, site: ASGIApp, note_unparsable: Callable[[str, int], None]) -> None:
        self._site = site
        self.note_unparsable = note_unparsable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await _call_checked(self._site, scope, receive, send)


async def _call_checked(site: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an application, except for requests without a valid Host."""
    try:
        if scope["type"] == "http":
            require_host(scope)
    except DarkroomError as error:
        await send_problem(scope, send, error)
    else:
        await site(scope, receive, send)


def _is_api(raw_path: bytes) -> bool:
    """Return whether a path is the API's, as it is written: what a proxy in front has let pass is not decoded first."""
    return raw_path == b"/api" or raw_path.startswith(b"/api/")


async def _check_workers(pool: Pool) -> None:
    if not pool.workers:
        raise Unavailable("No pixel worker is up.")


async def _not_found(request: Request, _error: Exception) -> Response:
    return await _refuse(request)


async def _refuse(_: Request) -> Response:
    """Answer 404, also for what exists and may not be read."""
    request_id = new_request_id()
    error = RouteNotFound("Pictures are at /t/{tenant}/{original}/{recipe}?s={seal}.")
    response = problem_response(error, request_id)
    headers = [*response.headers, request_id_header(request_id)]
    return Response(response.body, response.status, {name.decode(): value.decode() for name, value in headers})
