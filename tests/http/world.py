"""A delivery application over ports in memory, and a client that calls it through ASGI."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from proxy.adapters.memory import MemoryDerivatives
from proxy.app import DeliveryApp, Ports
from proxy.caching.tiers import TieredCache
from proxy.core.errors import NotFound
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.core.planning.plan import Plan
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.presets import NO_LADDER
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference
from proxy.http.problem import Headers
from proxy.ports import OpenOriginal, Planning, RenderRecord, RenderResult, Sink
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics

KEY = SigningKey.derive("a secret")
ACME = TenantName("acme")
HOST = (b"host", b"pictures.example")

Respond = Callable[[bytes, Headers], tuple[int, bytes, bytes] | None]


def sign(path: str, expires: int | None = None) -> str:
    """Return a signed target."""
    text = path if expires is None else f"{path}?e={expires}"
    return f"{text}{'?' if expires is None else '&'}s={KEY.seal(text)}"


def tenant(**fields: object) -> Tenant:
    """Return acme, with a source and presets, one of which needs no seal."""
    presets = {"card": parse("w100-webp"), "large": parse("w500-webp")}
    known: dict[str, object] = {
        "presets": presets,
        "unsigned": {"card": NO_LADDER},
        "sources": (Source("https://host"),),
    }
    return Tenant(ACME, (KEY,), **(known | fields))  # type: ignore[arg-type]


class MemoryTenants:
    """Tenants in a dictionary; `error` is raised if it is set."""

    def __init__(self) -> None:
        self.rows = {ACME: tenant()}
        self.error: Exception | None = None
        self.finds = 0

    async def find(self, name: TenantName) -> Tenant | None:
        self.finds += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.rows.get(name)

    async def names(self) -> frozenset[TenantName]:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return frozenset(self.rows)

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error


class MemoryOriginals:
    """Originals in a dictionary; `error` is raised if it is set."""

    def __init__(self) -> None:
        self.rows: dict[Digest, bytes] = {}
        self.error: Exception | None = None
        self.opens = 0

    def add(self, body: bytes) -> Digest:
        digest = Digest(sha256(body).hexdigest())
        self.rows[digest] = body
        return digest

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        self.opens += 1
        if self.error is not None:
            raise self.error
        if digest not in self.rows:
            raise NotFound("There is no such original.")
        fd = os.memfd_create("original", os.MFD_CLOEXEC)
        os.write(fd, self.rows[digest])
        return OpenOriginal(fd, len(self.rows[digest]))

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        self.rows[digest] = source.head(source.size_bytes)
        return True

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        return digest in self.rows

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        self.rows.pop(digest, None)

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error


class FakePixels:
    """Workers whose derivatives hold the plan's size; they wait for `open`, and raise `error` if it is set."""

    renderer_version = RendererVersion("5-8.18.7")

    def __init__(self) -> None:
        self.facts = Facts(JPEG, 600, 400)
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.probes = self.renders = self.cancelled = 0

    async def probe(self, original: OpenOriginal) -> Facts:
        self.probes += 1
        await self._work()
        return self.facts

    async def examine(self, original: OpenOriginal) -> Examination:
        return Examination(await self.probe(original))

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        self.renders += 1
        await self._work()
        planned = plan(self.facts, None)
        assert isinstance(planned, Plan)
        size, picture_format = planned.size, planned.encoding.format
        body = f"{size.width}x{size.height} {picture_format.name}".encode()
        return RenderResult(self.facts, Derivative(body, picture_format, size.width, size.height), 0.25)

    async def _work(self) -> None:
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error


class MemoryRecords:
    """Render records in a list."""

    def __init__(self) -> None:
        self.rows: list[RenderRecord] = []

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        self.rows.extend(batch)


class FakeSource:
    """A source with one body that waits for `open`."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.fetches = self.cancelled = 0

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        self.fetches += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await _write(sink, b"\xff\xd8\xff\xe0 a picture")
        return Validators('"1"')


async def _write(sink: Sink, body: bytes) -> None:
    await sink.append(body)


class NoResolvedReferences:
    """Stores nothing: what a reference means is known in the process alone."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        return None

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        pass


class SlowTier(MemoryDerivatives):
    """A tier like Redis or S3: it has to be awaited."""

    name = "files"
    peek = None  # type: ignore[assignment]
    store = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.rows: dict[DerivativeKey, Derivative] = {}
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, key: DerivativeKey) -> Derivative | None:
        return self.rows.get(key)

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.rows[key] = derivative

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        return 0

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Received:
    """What a client has received."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class World:
    """One delivery application."""

    def __init__(self, **settings: object) -> None:
        self.tenants = MemoryTenants()
        self.originals = MemoryOriginals()
        self.pixels = FakePixels()
        self.records = MemoryRecords()
        self.source = FakeSource()
        self.memory = MemoryDerivatives(2**20)
        self.slow = SlowTier()
        self.metrics = Metrics()
        self.gone = asyncio.Event()
        """Set it, and the client of the running requests has disconnected."""
        self.ports = Ports(
            tenants=self.tenants,
            render_records=self.records,
            originals=self.originals,
            derivatives=TieredCache([self.memory, self.slow]),
            resolved_references=NoResolvedReferences(),
            sources={"https": self.source},
            pixels=self.pixels,
            workers=2,
        )
        self.settings = Settings(**settings)  # type: ignore[arg-type]
        self.app = DeliveryApp(self.settings, self.ports, self.metrics)
        self.digest = self.originals.add(b"an original")

    def path(self, recipe: str, original: str = "") -> str:
        return f"/t/acme/{original or self.digest}/{recipe}"

    def target(self, recipe: str, original: str = "", expires: int | None = None) -> str:
        """Return a signed target."""
        return sign(self.path(recipe, original), expires)

    async def request(self, target: str, method: str = "GET", *fields: tuple[bytes, bytes]) -> Received:
        """Call the application through ASGI; without an answer, the status is 0."""
        return await call(self.app, target, method, (HOST, *fields), self.gone)

    def fast(self, target: str, *fields: tuple[bytes, bytes]) -> Received | None:
        """Ask the fast path."""
        return fast(self.app.respond_from_memory, target, *fields)

    def count(self, name: str, **labels: str) -> float:
        """Sum a metric's samples that have the labels."""
        samples = (sample for family in self.metrics.registry.collect() for sample in family.samples)
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )


async def call(
    app: Callable[..., Awaitable[None]],
    target: str,
    method: str = "GET",
    fields: Sequence[tuple[bytes, bytes]] = (HOST,),
    gone: asyncio.Event | None = None,
    **scope: object,
) -> Received:
    """Call an ASGI application, with a client that stays unless `gone` is set."""
    path, _, query = target.partition("?")
    received = Received()
    gone = gone or asyncio.Event()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            received.status = message["status"]
            received.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            received.body += message.get("body", b"")

    whole_scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": list(fields),
        **scope,
    }
    await app(whole_scope, receive, send)
    return received


def fast(respond: Respond, target: str, *fields: tuple[bytes, bytes]) -> Received | None:
    """Ask a fast path; None if it leaves the request to the endpoint."""
    response = respond(target.encode("latin-1"), [HOST, *fields])
    if response is None:
        return None
    status, lines, body = response
    pairs = (line.split(b": ", 1) for line in lines.split(b"\r\n") if line)
    return Received(status, {name.decode(): value.decode() for name, value in pairs}, body)
