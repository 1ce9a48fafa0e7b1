"""The ports: what the delivery plane needs of its environment, and what each implementation promises.

An adapter translates every foreign error at its border. It raises `Unavailable` (the backend does not answer in time,
or its answer is invalid; the request is served without it or becomes 503) and the errors that a method names.
`asyncio.CancelledError` always passes through, and a cancelled call leaves nothing half-written.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, Self

from proxy.core.geometry import Box
from proxy.core.identifiers import DerivativeKey, Digest, RendererVersion, TenantName, UploadId
from proxy.core.media.derivative import Derivative
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference


@dataclass(slots=True)
class OpenOriginal:
    """An original's bytes behind a file descriptor of its own, readable and seekable from 0; a context that closes it.

    The adapter that opened it has checked length and SHA-256: what a worker decodes is what was uploaded.
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

        Raise NotFound, CorruptImage if its bytes no longer have the digest, and LimitExceeded over the byte limit.
        """
        ...

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Store the whole of `source` under its SHA-256, which the caller has computed.

        Return False if it is stored already and whole; a damaged original is replaced.
        """
        ...

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        """Return whether an original is stored, by its name alone: its bytes are not read."""
        ...

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        """Delete an original for good, if it is stored; who has it open reads on.

        The caller makes sure that nothing stands on it, and that no one puts it at the same time.
        """
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class Sink(Protocol):
    """Where bytes from outside are written to, within a limit, before they become an original."""

    size_bytes: int
    """Number of bytes written so far."""

    def expect(self, size_bytes: int) -> None:
        """Raise LimitExceeded if an announced length is over the limit."""
        ...

    async def append(self, chunk: bytes) -> None:
        """Write a chunk without blocking the event loop. Raise LimitExceeded over the limit, Unavailable if full."""
        ...


class Sources(Protocol):
    """Sources of one URL scheme."""

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """Write all bytes of a source into `sink` and return its validators; None if it still matches `known`.

        `sources` are what the tenant allows: the reference and every redirect have to be within them. Raise
        SourceNotAllowed, SourceNotFound, SourceFailed, SourceTimeout or LimitExceeded; the sink is invalid then.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredParts:
    """What is durable of an upload: its bytes from the beginning without a gap, and how many blocks hold them."""

    size_bytes: int = 0
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """A form with which a client sends one file straight to the store: the fields first, then `file`."""

    url: str
    fields: Mapping[str, str]


class UploadParts(Protocol):
    """Bytes of uploads that take more than one request, until they become an original.

    Theory. An upload is a sequence of blocks, each whole or absent, each named by the offset at which it begins. A
    block's name is given once: of two writers at one offset one succeeds. A writer continues at the end of what is
    stored, and then at the end of its own last block. So the blocks never overlap, whichever processes write them, and
    what is stored is always a beginning of the file.
    """

    block_bytes: int
    """How many bytes to collect before a block is written."""

    async def stored(self, tenant: TenantName, upload: UploadId) -> StoredParts:
        """Return what is durable; nothing for an upload that is not known."""
        ...

    async def append(self, tenant: TenantName, upload: UploadId, offset: int, block: bytes) -> bool:
        """Write a block, durably before this returns. Return False if another block begins at this offset."""
        ...

    async def replace(self, tenant: TenantName, upload: UploadId, source: OpenOriginal) -> None:
        """Write the whole of `source` as the one block of an upload, in place of what was there."""
        ...

    async def read(self, tenant: TenantName, upload: UploadId, sink: Sink) -> None:
        """Write what is stored into `sink`, which may raise LimitExceeded."""
        ...

    async def delete(self, tenant: TenantName, upload: UploadId) -> None:
        """Delete all blocks of an upload; repeat it if it was interrupted."""
        ...

    async def uploads(self, tenant: TenantName) -> list[str]:
        """Return the names of the tenant's uploads that have blocks."""
        ...

    async def presign(
        self, tenant: TenantName, upload: UploadId, size_bytes: int, lifetime_s: int
    ) -> PresignedPost | None:
        """Return a form that stores exactly `size_bytes` as the one block of an upload; None if there is no such way.

        What is sent within `lifetime_s` seconds replaces what was sent before.
        """
        ...

    async def free_bytes(self) -> int | None:
        """Return how many bytes there is room for; None if the store sets no limit."""
        ...


def block_name(offset: int) -> str:
    """Return the name of the block that begins at `offset`; names sort as offsets do."""
    return f"{offset:015d}"


def without_gap(blocks: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the blocks (name, bytes) that follow each other from offset 0, in order."""
    chain: list[tuple[str, int]] = []
    end = 0
    for name, size_bytes in sorted(blocks):
        if name != block_name(end) or size_bytes == 0:
            break
        chain.append((name, size_bytes))
        end += size_bytes
    return chain


def parts_of(blocks: Sequence[tuple[str, int]]) -> StoredParts:
    """Return what a chain of blocks holds."""
    return StoredParts(sum(size_bytes for _, size_bytes in blocks), len(blocks))


class ResolvedReferences(Protocol):
    """Resolved references, stored beside the originals; the last write wins."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Return what was put last, or None; a damaged entry is a miss."""
        ...

    async def put(self, tenant: TenantName, reference: Reference, resolved: ResolvedReference) -> None:
        """Store a resolved reference in the place of the one before."""
        ...


class Derivatives(Protocol):
    """One tier of derivatives, or several tiers as one: the same methods at every layer."""

    name: str
    """Reported in `Server-Timing` and in metrics: memory, redis, s3, files."""

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what was put, whole and unchanged, or None; a damaged entry is a miss."""
        ...

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative; the first one under a key wins, and a tier may decline (too large, no room)."""
        ...

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete all derivatives of a tenant, or of one of its originals. Return how many there were.

        What is put meanwhile may stay; a new cache epoch makes it unreachable.
        """
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many derivatives were deleted, and the bytes they took."""

    count: int
    size_bytes: int


class DerivativeStore(Derivatives, Protocol):
    """The durable tier: derivatives by the path that is their key, so that a folder of them can be deleted.

    A folder is a prefix of keys, cut at a `/` and written without it: `5-8.18.7/acme/0`; the empty one is the root.
    """

    async def list_folders(self, prefix: str = "") -> list[str]:
        """Return the names of the folders directly in a folder, sorted."""
        ...

    async def delete_folder(self, prefix: str, *, dry_run: bool = False) -> Deleted:
        """Delete all derivatives in a folder, or only count them.

        If it is interrupted or raises Unavailable, what was deleted is deleted: call it again for the rest.
        """
        ...


class Cache(Protocol):
    """The tiers as delivery uses them: looked up before the work, written behind the reply."""

    def peek(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Return the tier's name and the derivative from this process's memory, without waiting."""
        ...

    async def find(self, key: DerivativeKey) -> tuple[str, Derivative] | None:
        """Return the nearest tier's name and its derivative; a tier that is out is skipped."""
        ...

    def store(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store in memory at once and in the other tiers behind the reply. Never waits and never fails."""
        ...


class Tenants(Protocol):
    """Tenants by name, with their keys and rules."""

    async def find(self, name: TenantName) -> Tenant | None:
        """Return the tenant, or None if it does not exist. Raise Unavailable if that cannot be determined."""
        ...

    async def names(self) -> frozenset[TenantName]:
        """Return the names of all tenants. Raise Unavailable if the backend does not answer."""
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class CachedTenants(Protocol):
    """Tenants of which this process caches some."""

    def peek(self, name: TenantName) -> Tenant | None:
        """Return a tenant from memory if it is fresh enough to be served, without waiting; None if `find` is needed."""
        ...

    async def find(self, name: TenantName) -> Tenant | None:
        """Return the tenant, or None if it does not exist. Raise Unavailable if that cannot be determined.

        Unknown names are answered from memory: guesses cost no look-up.
        """
        ...

    async def refresh(self, name: TenantName) -> Tenant | None:
        """Read the tenant again, at most once per second, before a request is refused for what the cached one lacks.

        Return the cached tenant, or None, if it was read within the last second or the backend does not answer.
        """
        ...

    async def ping(self) -> None:
        """Return if the backend answers. Raise Unavailable otherwise."""
        ...


class OriginalName(NamedTuple):
    """An original, as delivery names it."""

    tenant: TenantName
    original: Digest


class OriginalChange(NamedTuple):
    """The newest state of an original: whether it is refused, and when that, or its derivatives' purge, was written."""

    name: OriginalName
    refused: bool
    changed_at: datetime


class Refusals(Protocol):
    """Which originals are not to be delivered: those of images in the trash or deleted for good."""

    async def now(self) -> datetime:
        """Return the time of the clock that dates the changes. Raise Unavailable if the backend does not answer."""
        ...

    async def changes(
        self, since: datetime | None, after: OriginalChange | None, limit: int
    ) -> Sequence[OriginalChange]:
        """Return at most `limit` changes, the oldest first: those since a moment, behind the change `after`.

        Raise Unavailable if the backend does not answer.
        """
        ...


class KnownRefusals(Protocol):
    """The refusals that this process knows."""

    @property
    def generation(self) -> int:
        """A number that another one follows with each change of what is refused."""
        ...

    def is_refused(self, tenant: TenantName, original: Digest) -> bool:
        """Return whether an original is not to be delivered. Raise Unavailable before that is known. Never waits."""
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

    If a worker dies, another one repeats the job. If that dies too, WorkerCrashed is raised, or WorkerKilled if one of
    them was killed by the kernel, which is not the original's fault.
    """

    renderer_version: RendererVersion

    async def probe(self, original: OpenOriginal) -> Facts:
        """Read the header. Raise UnsupportedFormat or CorruptImage."""
        ...

    async def examine(self, original: OpenOriginal) -> Examination:
        """Decode the original to its end once and describe it.

        Raise UnsupportedFormat, CorruptImage if it is damaged or truncated, DeadlineExceeded or Unavailable.
        """
        ...

    async def render(
        self, original: OpenOriginal, facts: Facts | None, plan: Planning, watermark: OpenOriginal | None = None
    ) -> RenderResult:
        """Render `plan` in one job of one worker, which probes first if `facts` is None.

        `watermark` is the picture that the plan's overlays composite onto this one. Both originals may be closed as
        soon as the call returns or is cancelled. A cancelled call leaves the queue; a job that already runs goes on
        until it ends or overruns its deadline, and its result is dropped.

        Raise what `probe` and `plan` raise, CorruptImage if the pixels end early, LimitExceeded if the derivative is
        too large, DeadlineExceeded if the job overran its deadline, Unavailable if no worker is ready.
        """
        ...
