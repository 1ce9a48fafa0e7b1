"""The one place where the process is wired: settings in, an ASGI application out.

Pictures (`/t/…`) go to the edge by their raw path, before any routing; all else is Starlette's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from os import urandom
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from catalog.records.database import Database
from catalog.records.render_records import SqlRenderRecords
from catalog.records.schema import open_database
from catalog.tenants.rules import limits_of
from catalog.tenants.tenant_repository import SqlTenantRepository
from proxy.backends import Backends, open_backends, open_sources
from proxy.caching.tenant_cache import TenantCache
from proxy.caching.write_behind import WriteBehindCache
from proxy.core.errors import RouteNotFound, Unavailable
from proxy.core.media.formats import readable, writable
from proxy.core.planning.planner import Capabilities
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.fair_permits import FairPermits
from proxy.delivery.image_request import RequestBuilder
from proxy.delivery.render_log import RenderLog
from proxy.delivery.service import Delivery
from proxy.delivery.source_resolver import SourceResolver
from proxy.http.endpoint import DeliveryEndpoint
from proxy.http.fast_path import FastPath
from proxy.http.health import Health
from proxy.http.problem import Headers, problem_answer
from proxy.ports import Sources
from proxy.settings import Settings
from proxy.telemetry import logs
from proxy.telemetry.metrics import Metrics
from proxy.workers.pool import Pool, open_pool

log = structlog.get_logger("darkroom")

_FLUSH_S = 10.0
"""What is still to be written gets this long when the process ends."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def create_app(settings: Settings | None = None) -> "App":
    """Make the application; settings come from the environment where none are given."""
    settings = settings or Settings()
    logs.configure(settings.log_format, settings.log_level)
    return App(settings)


class App:
    """The ASGI application; its lifespan opens the rooms before the first request and closes them after the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._edge: DeliveryEndpoint
        self._hits: FastPath
        self._health: Health
        self._rest = Starlette(
            routes=[
                Route("/healthz", self._by(lambda: self._health.healthz)),
                Route("/readyz", self._by(lambda: self._health.readyz)),
                Route("/metrics", self._by(lambda: self._health.metrics)),
                Route("/demo", self._demo),
            ],
            lifespan=self._lifespan,
            exception_handlers={404: _nowhere},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pictures to the edge, everything else to Starlette."""
        if scope["type"] == "http" and scope["raw_path"].startswith(b"/t/"):
            await self._edge(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET for a picture that is at hand, without waiting; None where this object has to be called."""
        return self._hits.respond_from_memory(target, fields) if target.startswith(b"/t/") else None

    @staticmethod
    def _by(find: Callable[[], Handler]) -> Handler:
        """Find the handler when it is asked for: routes are made before the rooms are open."""

        async def handle(request: Request) -> Response:
            return await find()(request)

        return handle

    async def _demo(self, request: Request) -> Response:
        """Show the page `darkroom demo` wrote, where it wrote one."""
        page = self._settings.home / "demo.html"
        if not await asyncio.to_thread(page.is_file):
            return await _nowhere(request, Exception())
        return FileResponse(page, media_type="text/html", headers={"cache-control": "no-cache"})

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        settings, metrics = self._settings, Metrics()
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings))
            backends = await stack.enter_async_context(open_backends(settings, on_skip=metrics.skipped))
            sources = await stack.enter_async_context(open_sources(settings))
            database = await stack.enter_async_context(open_database(settings))
            shelf, render_log = WriteBehindCache(backends.derivatives), RenderLog(SqlRenderRecords(database))
            admission = AdmissionQueue(pool.size, settings.queue_length)
            tenants = TenantCache(SqlTenantRepository(database, limits_of(settings)), settings.tenant_ttl_s)
            references = _references(settings, backends, sources)
            requests = RequestBuilder(tenants, references, pool.renderer_version)
            delivery = Delivery(
                cache=shelf,
                originals=backends.originals,
                pixels=pool,
                admission=admission,
                fetches=FairPermits(settings.fetches),
                render_log=render_log,
                references=references,
                capabilities=Capabilities(writable(settings.formats), settings.faces),
                deadline_s=settings.deadline_s,
            )
            self._edge = DeliveryEndpoint(requests, delivery, metrics, settings.log_requests)
            self._hits = FastPath(requests, delivery, metrics, settings.log_requests)
            self._health = _health(metrics, admission, pool, backends, database)
            _watch(metrics, pool, admission, shelf, render_log)
            stack.push_async_callback(
                _stop, asyncio.create_task(shelf.write()), asyncio.create_task(render_log.write())
            )
            stack.push_async_callback(_drain, shelf)
            stack.push_async_callback(references.close)
            stack.push_async_callback(delivery.close)
            log.info(
                "ready",
                renderer_version=pool.renderer_version,
                workers=pool.size,
                sandbox_features=str(pool.sandbox_features),
            )
            yield
            log.info("closing")


def _references(settings: Settings, backends: Backends, sources: Mapping[str, Sources]) -> SourceResolver:
    return SourceResolver(
        sources=sources,
        originals=backends.originals,
        resolved_references=backends.resolved_references,
        admission=AdmissionQueue(settings.fetches, settings.queue_length),
        deadline_s=settings.source_deadline_s,
        formats=readable(settings.formats),
    )


async def _nowhere(_request: Request, _error: Exception) -> Response:
    request_id = urandom(8).hex()
    refusal = RouteNotFound("Pictures are at /t/{tenant}/{original}/{recipe}?s={seal}.")
    status, headers, body = problem_answer(refusal, request_id)
    told = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, told | {"x-request-id": request_id})


def _health(metrics: Metrics, admission: AdmissionQueue, pool: Pool, backends: Backends, database: Database) -> Health:
    async def workers() -> None:
        if not pool.workers:
            raise Unavailable("No pixel worker is up.")

    return Health(
        metrics,
        admission,
        needed={"workers": workers, "store": backends.originals.ping},
        spared={"cache": backends.derivatives.ping, "database": database.ping},
    )


def _watch(
    metrics: Metrics, pool: Pool, admission: AdmissionQueue, shelf: WriteBehindCache, render_log: RenderLog
) -> None:
    metrics.watch("darkroom_queue_length", "Renders waiting for a worker.", lambda: admission.waiting)
    metrics.watch("darkroom_renders", "Renders begun so far, however many waited for each.", lambda: admission.admitted)
    metrics.watch("darkroom_renders_running", "Renders that hold a worker.", lambda: admission.running)
    metrics.watch("darkroom_workers", "Worker processes that are up, the spare among them.", lambda: pool.workers)
    metrics.watch("darkroom_workers_idle", "Worker processes with nothing to do.", lambda: pool.idle)
    metrics.watch("darkroom_worker_restarts", "Workers replaced so far.", lambda: sum(pool.restarts.values()))
    metrics.watch("darkroom_worker_crashes", "Workers that ended without being told to so far.", lambda: pool.crashes)
    metrics.watch("darkroom_shelf_pending_bytes", "Derivatives still to be written.", lambda: shelf.pending_bytes)
    metrics.watch("darkroom_shelf_left_out", "Derivatives not written for want of room.", lambda: shelf.dropped)
    metrics.watch("darkroom_notes_given_up", "Renders never recorded.", lambda: render_log.dropped)


async def _drain(shelf: WriteBehindCache) -> None:
    """Write what is still to be written, within its time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FLUSH_S):
            await shelf.drain()


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
