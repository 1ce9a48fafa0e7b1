"""Ports: what the delivery plane needs from the outside, and what each answer promises.

An adapter translates every foreign exception. Two kinds of ours may be raised: `Unavailable` (the backend does not
answer in time, or its answer makes no sense; the request may be served without it, or becomes a 503), and the errors
that a method names. `asyncio.CancelledError` always passes through, and a cancelled call leaves nothing half-written.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference


@dataclass(slots=True)
class OpenOriginal:
    """An original behind a file descriptor of its own, seekable and readable from 0; a context manager that closes it.

    Its length and SHA-256 were checked when it was opened: a worker decodes what was uploaded.
    """

    fd: int
    size_bytes: int
    _closed: bool = field(default=False, init=False)

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes. The descriptor's offset does not move."""
        return os.pread(self.fd, count, 0)

    def close(self) -> None:
        """Close the descriptor. Calling it again does nothing."""
        if not self._closed:
            self._closed = True
            os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Originals(Protocol):
    """Originals by tenant and SHA-256. Writing is atomic and idempotent; what was acknowledged is never lost."""

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Open an original.

        Raise NotFound, CorruptImage if its bytes do not have its SHA-256, or LimitExceeded over the byte limit.
        """
        ...

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Store all of `source`, whose SHA-256 is `digest`. Return True if it is new."""
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class Sink(Protocol):
    """What bytes from outside are written to, within a limit, before they are an original."""

    size_bytes: int
    """Number of bytes written so far."""

    def expect(self, size_bytes: int) -> None:
        """Raise LimitExceeded if the announced size is over the limit."""
        ...

    async def append(self, chunk: bytes) -> None:
        """Write a chunk without blocking the event loop. Raise LimitExceeded over the limit, Unavailable if full."""
        ...


class Sources(Protocol):
    """Where references of one scheme lead."""

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """Write all of a source's bytes to `sink` and return their validators; None if `known` still holds.

        `sources` are those the tenant allows: they must contain the reference and whatever it redirects to. Raise
        SourceNotAllowed, SourceNotFound, SourceFailed, SourceTimeout or LimitExceeded; what was written until then is
        of no use.
        """
        ...


class ResolvedReferences(Protocol):
    """What references meant, stored beside the originals; the last write wins."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Return what was stored, or None. A damaged entry counts as missing."""
        ...

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        """Store what a reference means, in place of what it meant before."""
        ...


class Derivatives(Protocol):
    """One tier of finished derivatives, or several as one: the same verbs at every layer."""

    name: str
    """The tier's name in `Server-Timing` and in metrics: memory, redis, s3, files."""

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what was stored, whole and undamaged, or None. A damaged entry counts as missing."""
        ...

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative. The first one under a key wins, and a tier may decline (too large, no room)."""
        ...

    async def purge(self, tenant: TenantName) -> int:
        """Delete all derivatives of a tenant and return their number. What is stored meanwhile may stay."""
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class Cache(Protocol):
    """All tiers as delivery uses them: read before the work, written behind the reply."""

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Return the tier's name and the derivative from this process's memory, without waiting."""
        ...

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Return the nearest tier's name and derivative, or None. A tier that is out is skipped."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in memory at once and in the other tiers behind the reply. Return at once and never fail."""
        ...


class Tenants(Protocol):
    """Tenants by name, with their keys and rules."""

    async def find(self, name: TenantName) -> Tenant | None:
        """Return the tenant, or None if there is none. Raise Unavailable if that cannot be known now."""
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class CachedTenants(Tenants, Protocol):
    """Tenants of which this process caches some."""

    def peek(self, name: TenantName) -> Tenant | None:
        """Return a tenant from memory if it is fresh enough to be served, without waiting; None if `find` is needed."""
        ...

    async def refresh(self, name: TenantName) -> Tenant | None:
        """Read the tenant again, at most once per second, before a request is refused for what the cached one lacks.

        Return the cached tenant if it was read within the last second or the records are out.
        """
        ...


@dataclass(frozen=True, slots=True)
class RenderRecord:
    """One render as it is recorded behind the reply."""

    tenant: TenantName
    original: Digest
    key: DerivativeKey
    recipe: str
    """Canonical, presets expanded."""
    facts: Facts
    derivative_format: str
    width: int
    height: int
    size_bytes: int
    render_s: float


class RenderRecords(Protocol):
    """Where renders are recorded, in batches, behind the replies."""

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        """Write the batch in one transaction. Recording a render twice has the effect of recording it once."""
        ...


Planning = Callable[[Facts, Box | None], Plan | Trim | Page]
"""From facts to a plan, or to a question: a Page needs the facts of that page, a Trim a box as the second argument."""


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What a worker made of an original."""

    facts: Facts
    derivative: Derivative
    render_s: float
    """The worker's own time, in seconds."""


class Pixels(Protocol):
    """Sandboxed workers that decode, render and encode.

    A job whose worker dies is retried once by another worker; if that dies too, WorkerCrashed is raised.
    """

    renderer_version: RendererVersion

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header. Raise UnsupportedFormat or CorruptImage, and DeadlineExceeded if the worker was killed."""
        ...

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """Render what `plan` returns in one job of one worker, which probes first if no facts are known.

        `watermark` is the image that the plan's overlays lay over the original. Raise what `probe` and `plan` raise,
        CorruptImage if the pixels end early, and DeadlineExceeded if the worker was killed because it took too long.
        Cancelling the call frees the worker.
        """
        ...
