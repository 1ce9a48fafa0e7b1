"""The delivery application: `/t/…` over ports that are handed in. It knows no database, no adapter and no catalog."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from starlette.types import Receive, Scope, Send

from proxy.caching.refused_originals import RefusedOriginals
from proxy.caching.tenant_cache import TenantCache
from proxy.caching.tiers import TieredCache
from proxy.caching.write_behind import WriteBehindCache
from proxy.core.errors import Unavailable
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import readable, writable
from proxy.core.planning.planner import Capabilities
from proxy.core.url.link import Link
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.background import BackgroundTurns
from proxy.delivery.fair_permits import FairPermits
from proxy.delivery.image_request import NegotiationHeaders, RequestBuilder
from proxy.delivery.render_log import RenderLog
from proxy.delivery.service import Delivery
from proxy.delivery.source_resolver import SourceResolver
from proxy.http.endpoint import DeliveryEndpoint
from proxy.http.fast_path import FastPath
from proxy.http.health import Check
from proxy.http.problem import Headers
from proxy.http.request_log import RequestLog
from proxy.http.request_steps import RequestSteps
from proxy.ports import Originals, Pixels, Refusals, RenderRecords, ResolvedReferences, Sources, Tenants
from proxy.settings import Settings
from proxy.telemetry.background_tasks import BackgroundTasks
from proxy.telemetry.metrics import Metrics

FLUSH_S = 6.0
"""Time for pending writes when the application stops, in seconds."""
LOAD_S = 5.0
"""How long a start waits for the list of refused originals; without it the process is not ready, and answers 503."""
_STUCK_S = 15.0
"""Longer than any request may wait: a queue that has not moved for this long does not move any more."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What delivery needs of the world."""

    tenants: Tenants
    refusals: Refusals
    render_records: RenderRecords
    originals: Originals
    derivatives: TieredCache
    resolved_references: ResolvedReferences
    sources: Mapping[str, Sources]
    """By scheme."""
    pixels: Pixels
    workers: int
    """How many renders `pixels` runs at once."""


class DeliveryApp:
    """An ASGI application for `/t/…`; `open_delivery` starts and stops it."""

    def __init__(self, settings: Settings, ports: Ports, metrics: Metrics) -> None:
        self._ports = ports
        self._background = BackgroundTasks()
        self._cache = WriteBehindCache(ports.derivatives)
        self._render_log = RenderLog(ports.render_records)
        self._admission = AdmissionQueue(ports.workers, settings.queue_length)
        self._background_turns = BackgroundTurns(self._admission, ports.workers)
        self._references = references = _references(settings, ports)
        tenants = self._tenants = TenantCache(ports.tenants, settings.tenant_ttl_s)
        self._delivery = delivery = self._make_delivery(settings, references)
        self.refused_originals = RefusedOriginals(ports.refusals, ports.derivatives.forget)
        version = ports.pixels.renderer_version
        self._requests = RequestBuilder(tenants, references, self.refused_originals, version)
        steps = RequestSteps(self._requests, delivery)
        self._request_log = RequestLog(settings.log_requests)
        self._metrics = metrics
        self._endpoint = DeliveryEndpoint(steps, delivery, metrics, self._request_log)
        self._fast_path = FastPath(steps, metrics, self._request_log)
        self._export(metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a picture."""
        await self._endpoint(scope, receive, send)

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET without waiting; see `FastPath`."""
        return self._fast_path.respond_from_memory(target, fields)

    async def render(self, link: Link, accept: str = "") -> Derivative:
        """Deliver what a link asks for to a caller in this process, who needs no seal. Raise as a request would."""
        tenant = await self._requests.trust(link)
        resolved = None if link.digest else await self._requests.resolve(tenant, link)
        request = self._requests.build(tenant, link, NegotiationHeaders(accept), resolved)
        return (await self._delivery.deliver(request)).derivative

    async def render_in_background(self, link: Link, accept: str = "") -> Derivative:
        """Do the same as `render` for work that nobody waits for: after the requests of people."""
        async with self._background_turns.turn():
            return await self.render(link, accept)

    def note_unparsable(self, request_id: str, sent_bytes: int) -> None:
        """Count and log a request that is not HTTP and was answered with 400."""
        self._metrics.count_response(400, "none", sent_bytes)
        self._request_log.write_unparsable(request_id)

    @property
    def required_checks(self) -> Mapping[str, Check]:
        """Checks without which this process cannot deliver."""
        return {
            "queue": self._check_queue,
            "background": self._background.check,
            "refusals": self.refused_originals.check,
        }

    @property
    def optional_checks(self) -> Mapping[str, Check]:
        """Checks of backends that all nodes share."""
        ports = self._ports
        return {"store": ports.originals.ping, "cache": self._check_cache, "database": ports.tenants.ping}

    def start(self) -> None:
        """Start the background readers and writers."""
        self._background.start("refused originals reader", self.refused_originals.read_forever())
        self._background.start("derivative writer", self._cache.write())
        self._background.start("render record writer", self._render_log.write())

    async def stop(self, timeout_s: float = FLUSH_S) -> None:
        """Cancel work, write what is pending, and end the background tasks, all within `timeout_s` seconds."""
        deadline = monotonic() + timeout_s
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s / 2):
                await asyncio.gather(self._delivery.close(), self._references.close(), self._tenants.close())
                await self._cache.drain()
        await self._background.stop(deadline - monotonic())

    def _make_delivery(self, settings: Settings, references: SourceResolver) -> Delivery:
        return Delivery(
            cache=self._cache,
            originals=self._ports.originals,
            pixels=self._ports.pixels,
            admission=self._admission,
            fetches=FairPermits(settings.fetches),
            render_log=self._render_log,
            references=references,
            capabilities=Capabilities(writable(settings.formats), settings.faces),
            deadline_s=settings.deadline_s,
        )

    def _export(self, metrics: Metrics) -> None:
        admission, cache, render_log, tenants = self._admission, self._cache, self._render_log, self._tenants
        metrics.gauge("darkroom_queue_length", "Renders that wait for a worker.", lambda: admission.waiting)
        metrics.counter("darkroom_renders_total", "Renders begun.", lambda: admission.admitted)
        metrics.gauge("darkroom_renders_running", "Renders that hold a worker.", lambda: admission.running)
        metrics.gauge(
            "darkroom_derivative_write_queue_bytes", "Derivatives not yet written.", lambda: cache.pending_bytes
        )
        metrics.counter(
            "darkroom_derivative_writes_dropped_total",
            "Derivatives not written because the queue was full.",
            lambda: cache.dropped,
        )
        metrics.counter(
            "darkroom_render_records_dropped_total", "Renders that were never recorded.", lambda: render_log.dropped
        )
        metrics.counter("darkroom_tenant_read_failures_total", "Failed reads of tenants.", lambda: tenants.failures)
        refused = self.refused_originals
        metrics.gauge("darkroom_refused_originals", "Originals that are not delivered.", lambda: refused.count)
        metrics.gauge("darkroom_refusals_age_seconds", "Time since refusals were read.", lambda: refused.age_s)
        metrics.counter("darkroom_refusal_read_failures_total", "Failed reads of refusals.", lambda: refused.failures)

    async def _check_queue(self) -> None:
        if self._admission.waiting > 0 and monotonic() - self._admission.moved_at > _STUCK_S:
            raise Unavailable("stuck")

    async def _check_cache(self) -> None:
        report = await self._ports.derivatives.report()
        _raise_for([name for name, error in report.items() if error is not None])


@asynccontextmanager
async def open_delivery(settings: Settings, ports: Ports, metrics: Metrics) -> AsyncIterator[DeliveryApp]:
    """Run a delivery application; leaving the context writes what is pending, within FLUSH_S seconds."""
    app = DeliveryApp(settings, ports, metrics)
    app.start()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(app.refused_originals.loaded.wait(), LOAD_S)
        yield app
    finally:
        await app.stop()


def _references(settings: Settings, ports: Ports) -> SourceResolver:
    return SourceResolver(
        sources=ports.sources,
        originals=ports.originals,
        resolved_references=ports.resolved_references,
        admission=AdmissionQueue(settings.fetches, settings.queue_length),
        deadline_s=settings.source_deadline_s,
        formats=readable(settings.formats),
    )


def _raise_for(tiers: Sequence[str]) -> None:
    if tiers:
        raise Unavailable(f"No answer from: {', '.join(tiers)}.")
