"""The ports of delivery in memory. Their calls are counted, and doors hold their answers back."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from proxy.core.errors import DarkroomError, NotFound
from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference
from proxy.ports import OpenOriginal, Planning, RenderRecord, RenderResult, Sink

VERSION = RendererVersion("5-8.18.7")


async def settle() -> None:
    """Let all tasks run until each of them waits for something."""
    for _ in range(50):
        await asyncio.sleep(0)


async def advance(seconds: float) -> None:
    """Move the event loop's clock forward for good, and let what waited for that run."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
    await settle()


class Door:
    """An event that is set at first, and counts its waiters: now, at most, and cancelled."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.inside = 0
        self.most = 0
        self.cancelled = 0

    def close(self) -> None:
        """Hold callers back from now on."""
        self._open.clear()

    def open(self) -> None:
        """Let all callers pass."""
        self._open.set()

    async def pass_through(self) -> None:
        """Wait until the door is open."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1


class MemoryOriginals:
    """Originals that are held in a dictionary."""

    def __init__(self) -> None:
        self.stored: dict[tuple[TenantName, Digest], bytes] = {}
        self.fetched: list[tuple[TenantName, Digest]] = []
        self.handles: list[OpenOriginal] = []
        self.door = Door()

    def add(self, tenant: TenantName, content: bytes) -> Digest:
        """Store an original."""
        digest = Digest(sha256(content).hexdigest())
        self.stored[tenant, digest] = content
        return digest

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """See `Originals`."""
        self.fetched.append((tenant, digest))
        await self.door.pass_through()
        if (tenant, digest) not in self.stored:
            raise NotFound("There is no such original.")
        content = self.stored[tenant, digest]
        fd = os.memfd_create("original", os.MFD_CLOEXEC)
        os.pwrite(fd, content, 0)
        self.handles.append(OpenOriginal(fd, len(content)))
        return self.handles[-1]

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """See `Originals`."""
        new = (tenant, digest) not in self.stored
        self.stored[tenant, digest] = source.head(source.size_bytes)
        return new

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        """See `Originals`."""
        return (tenant, digest) in self.stored

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        """See `Originals`."""
        self.stored.pop((tenant, digest), None)

    async def ping(self) -> None:
        """See `Originals`."""

    @property
    def held(self) -> int:
        """Number of originals that are open."""
        return sum(not handle._closed for handle in self.handles)


class FakePixels:
    """Workers that make no pixels: a derivative's body is the plan's size."""

    renderer_version = VERSION

    def __init__(self) -> None:
        self.facts = Facts(JPEG, 600, 400)
        self.error: DarkroomError | None = None
        self.probed = 0
        self.rendered = 0
        self.watermarks: list[OpenOriginal | None] = []
        self.door = Door()

    async def probe(self, original: OpenOriginal) -> Facts:
        """See `Pixels`."""
        self.probed += 1
        await self._work()
        return self.facts

    async def examine(self, original: OpenOriginal) -> Examination:
        """See `Pixels`."""
        return Examination(await self.probe(original))

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """See `Pixels`."""
        self.rendered += 1
        self.watermarks.append(watermark)
        await self._work()
        planned: Plan | Page | Trim = plan(facts or self.facts, None)
        if isinstance(planned, Trim):
            planned = plan(facts or self.facts, Box(0, 0, 10, 10))
        assert isinstance(planned, Plan)
        size = planned.size
        derivative = Derivative(
            f"{size.width}x{size.height}".encode(), planned.encoding.format, size.width, size.height
        )
        return RenderResult(facts or self.facts, derivative, 0.25)

    async def _work(self) -> None:
        await self.door.pass_through()
        if self.error is not None:
            raise self.error


class MemoryCache:
    """Two tiers: a memory that is seen without waiting, and a slow one named `files`."""

    def __init__(self) -> None:
        self.memory: dict[DerivativeKey, Derivative] = {}
        self.files: dict[DerivativeKey, Derivative] = {}
        self.finds = 0
        self.door = Door()

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`."""
        return ("memory", self.memory[key]) if key in self.memory else None

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """See `Cache`."""
        self.finds += 1
        await self.door.pass_through()
        return self.peek(key) or (("files", self.files[key]) if key in self.files else None)

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """See `Cache`."""
        self.memory[key] = derivative


class MemoryTenants:
    """Tenants in `records`, of which those in `cached` were read before a change."""

    def __init__(self, *tenants: Tenant) -> None:
        self.records = {tenant.name: tenant for tenant in tenants}
        self.cached: dict[TenantName, Tenant | None] = {}
        self.refreshed: Counter[TenantName] = Counter()

    def peek(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        return self.cached.get(name)

    async def find(self, name: TenantName) -> Tenant | None:
        """See `Tenants`."""
        return self.cached.setdefault(name, self.records.get(name))

    async def refresh(self, name: TenantName) -> Tenant | None:
        """See `CachedTenants`."""
        self.refreshed[name] += 1
        self.cached[name] = self.records.get(name)
        return self.cached[name]

    async def ping(self) -> None:
        """See `Tenants`."""


class MemoryRecords:
    """Render records in a list; `errors` are raised first, one a call."""

    def __init__(self) -> None:
        self.rows: list[RenderRecord] = []
        self.errors: list[Exception] = []
        self.door = Door()

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        """See `RenderRecords`."""
        await self.door.pass_through()
        if self.errors:
            raise self.errors.pop(0)
        self.rows.extend(batch)


class MemoryResolvedReferences:
    """Resolved references in a dictionary."""

    def __init__(self) -> None:
        self.stored: dict[tuple[TenantName, Reference], ResolvedReference] = {}

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """See `ResolvedReferences`."""
        return self.stored.get((tenant, reference))

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        """See `ResolvedReferences`."""
        self.stored[tenant, reference] = meaning


@dataclass
class FakeSource:
    """A source that has one body, whose ETag is made from it."""

    body: bytes
    error: DarkroomError | None = None
    conditions: list[Validators] = field(default_factory=list)
    """The validators of each request."""
    door: Door = field(default_factory=Door)

    @property
    def validators(self) -> Validators:
        """What the source would answer with its body."""
        return Validators(f'"{sha256(self.body).hexdigest()[:8]}"')

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        self.conditions.append(known)
        await self.door.pass_through()
        if self.error is not None:
            raise self.error
        if known == self.validators:
            return None
        await sink.append(self.body)
        return self.validators
