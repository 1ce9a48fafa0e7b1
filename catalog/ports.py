"""What use cases ask of the world: the database, the stores, the pixels, and rendering as delivery does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from catalog.records.database import Database
from proxy.core.media.derivative import Derivative
from proxy.core.url.link import Link
from proxy.ports import Derivatives, DerivativeStore, Originals, Pixels, ResolvedReferences, Sources, UploadParts
from proxy.settings import Settings


class Renderer(Protocol):
    """Delivery for callers in this process: the same queue, limits, caches and records, and no seal."""

    async def render(self, link: Link, accept: str = "") -> Derivative:
        """Return what a link asks for, from the nearest tier or rendered; `accept` decides where a format is `auto`.

        Raise what a request for the link would be answered with, but Forbidden: NotFound for an unknown tenant.
        """
        ...


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
