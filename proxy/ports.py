"""What the delivery plane asks of the world, and what each answer promises.

An adapter translates every foreign error at its border. Two of ours may cross: `Unavailable` (the backend does not
answer in time or answers nonsense;
the request may be served without it, or becomes 503) and the refusals a method names. `asyncio.CancelledError` always
passes through, and
a cancelled call leaves nothing half-written.
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
    """An original's bytes behind a file descriptor of its own, readable and seekable from 0; leaving it closes it.

    Length and SHA-256 have been checked by whoever opened it: what a worker decodes is what was uploaded.
    """

    fd: int
    size_bytes: int
    _closed: bool = field(default=False, init=False)

    def head(self, count: int) -> bytes:
        """Read the first `count` bytes without moving the descriptor's offset."""
        return os.pread(self.fd, count, 0)

    def close(self) -> None:
        """Close the descriptor, once."""
        if not self._closed:
            self._closed = True
            os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Originals(Protocol):
    """Originals by tenant and SHA-256. Writing is atomic and idempotent; nothing acknowledged is ever lost."""

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Open an original.

        Refuses with NotFound, with CorruptImage when its bytes no longer have its name, with LimitExceeded over the
        byte limit.
        """
        ...

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Keep the whole of `source` under its name (the caller hashed it); True when it is new."""
        ...

    async def ping(self) -> None:
        """Return when the backend answers; `Unavailable` otherwise."""
        ...


class Sink(Protocol):
    """Where what comes from outside is written to, within a limit, before it is an original."""

    size_bytes: int
    """Written so far."""

    def expect(self, size_bytes: int) -> None:
        """Refuse with LimitExceeded what is announced to be too large."""
        ...

    def write(self, chunk: bytes) -> None:
        """Append, blocking the thread; refuses with LimitExceeded beyond the limit."""
        ...


class Sources(Protocol):
    """Where references of one scheme lead."""

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """Write a source's bytes into `sink`, the whole of them, and give its version; None when it is `known` still.

        `sources` are what the tenant allows: the reference and whatever it redirects to has to be within them. Refuses
        with SourceNotAllowed, SourceNotFound, SourceFailed, SourceTimeout, LimitExceeded; what was written then is
        worth nothing.
        """
        ...


class ResolvedReferences(Protocol):
    """What references meant, kept beside the originals; the last word counts."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Give what was kept, or None; a damaged entry is none."""
        ...

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        """Keep a meaning in the place of the one before."""
        ...


class Derivatives(Protocol):
    """One tier of finished pictures, or several stacked into one: the same two verbs at every layer."""

    name: str
    """Told in `Server-Timing` and in metrics: memory, redis, s3, files."""

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Give what was put, whole and unharmed, or None; a damaged entry is a miss."""
        ...

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep a derivative; the first one under a key wins, and a tier may decline (too large, no room)."""
        ...

    async def purge(self, tenant: TenantName) -> int:
        """Forget all derivatives of a tenant; how many there were. What is put meanwhile may stay."""
        ...

    async def ping(self) -> None:
        """Return when the backend answers; `Unavailable` otherwise."""
        ...


class Cache(Protocol):
    """The stacked tiers as delivery uses them: looked into before the work, filled behind the reply."""

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Give what this process's memory holds, and the tier's name, without waiting."""
        ...

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Give what the nearest tier holds, and the tier's name; a tier that is out is passed over."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep in memory at once and in the other tiers behind the reply; returns at once and never fails."""
        ...


class Tenants(Protocol):
    """Who may ask: names to keys and rules."""

    async def find(self, name: TenantName) -> Tenant | None:
        """Give the tenant, or None when there is no such one. `Unavailable` when that cannot be known now."""
        ...

    async def ping(self) -> None:
        """Return when the backend answers; `Unavailable` otherwise."""
        ...


class CachedTenants(Tenants, Protocol):
    """Tenants some of whom this process knows."""

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
    """Where what delivery learns is written down, in batches, behind the replies."""

    async def record(self, batch: Sequence[RenderRecord]) -> None:
        """Write the batch in one transaction; recording the same render twice is recording it once."""
        ...


Planning = Callable[[Facts, Box | None], Plan | Trim | Page]
"""Facts to a plan, or to a question: a Page wants the facts of that page, a Trim a box, the second argument."""


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What the pixel room gives back."""

    facts: Facts
    derivative: Derivative
    render_s: float
    """The worker's own time, in seconds."""


class Pixels(Protocol):
    """The pixel room: sandboxed workers that decode, render and encode.

    A worker's death costs one retry elsewhere; a second death refuses with WorkerCrashed.
    """

    renderer_version: RendererVersion

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header. Refuses with UnsupportedFormat or CorruptImage."""
        ...

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """Render what `plan` says in one visit to one worker, probing first where no facts are known.

        `watermark` is the picture that the plan's overlays lay over this one.

        Refuses as `probe` and `plan` do, with CorruptImage when the pixels end early, with DeadlineExceeded when the
        worker had to be killed. Cancelling it frees the worker.
        """
        ...
