"""What use cases ask of the world: the database, the stores, the pixels, and rendering as delivery does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from catalog.records.database import Database
from proxy.core.identifiers import TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link
from proxy.delivery.admission import AdmissionQueue
from proxy.ports import (
    Derivatives,
    DerivativeStore,
    OpenOriginal,
    Originals,
    Pixels,
    ResolvedReferences,
    Sources,
    UploadParts,
)
from proxy.settings import Settings

UPLOADS_AT_ONCE: Final = 4
"""Uploads that are examined, stored and recorded at once; fewer than a process has connections to its database."""
UPLOADS_WAITING: Final = 256
"""Further ones that are received or wait, each with a file on disk; what comes then is answered 503."""


class Renderer(Protocol):
    """Delivery for callers in this process: the same queue, limits, caches and records, and no seal."""

    async def render(self, link: Link, accept: str = "") -> Derivative:
        """Return what a link asks for, from the nearest tier or rendered; `accept` decides where a format is `auto`.

        Raise what a request for the link would be answered with, but Forbidden: NotFound for an unknown tenant.
        """
        ...

    async def render_in_background(self, link: Link, accept: str = "") -> Derivative:
        """Do the same for work that nobody waits for: requests of people go first, and keep half of the workers."""
        ...


class Signers(Protocol):
    """Tenants with what signs their URLs, at most a second old."""

    async def find(self, name: TenantName) -> Tenant:
        """Return the tenant. Raise TenantNotFound, or Unavailable."""
        ...

    def forget(self, name: TenantName) -> None:
        """Read the tenant again for the next answer: this process has changed it."""
        ...


class Scanner(Protocol):
    """A scanner for malware."""

    async def scan(self, file: OpenOriginal) -> str | None:
        """Return the name of the signature that a file matches; None if it matches none.

        Raise ScannerUnavailable without an answer in time, ScannerLimitExceeded for a file that it does not take.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scanning:
    """The scanner, and the store of files that wait for it: delivery does not read there."""

    scanner: Scanner
    quarantine: Originals


@dataclass(frozen=True, slots=True)
class Platform:
    """The installation, as routes and jobs use it."""

    settings: Settings
    database: Database
    originals: Originals
    derivatives: Derivatives
    """All tiers as one."""
    derivative_store: DerivativeStore
    """The durable one of the tiers."""
    resolved_references: ResolvedReferences
    sources: Mapping[str, Sources]
    """By URL scheme."""
    upload_parts: UploadParts
    """Bytes of uploads that are under way."""
    pixels: Pixels
    renderer: Renderer
    signers: Signers
    scanning: Scanning | None = None
    """None where the installation has no scanner."""
    uploads: AdmissionQueue = field(default_factory=lambda: AdmissionQueue(UPLOADS_AT_ONCE, UPLOADS_WAITING))
    """Turns of the uploads of this process."""
