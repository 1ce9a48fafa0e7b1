"""Delivery over memory ports, with requests made from signed links."""

import asyncio
from dataclasses import dataclass, field, replace

from proxy.core.errors import DarkroomError
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.planning.planner import Capabilities
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.presets import NO_LADDER
from proxy.core.tenant import Tenant, Watermark
from proxy.core.url.link import Link, parse_target
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.fair_permits import FairPermits
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders, RequestBuilder
from proxy.delivery.negative_cache import NegativeCache
from proxy.delivery.render_log import RenderLog
from proxy.delivery.service import Delivered, Delivery
from proxy.delivery.source_resolver import SourceResolver
from tests.delivery.fakes import (
    VERSION,
    FakePixels,
    FakeSource,
    MemoryCache,
    MemoryOriginals,
    MemoryRecords,
    MemoryRefusals,
    MemoryResolvedReferences,
    MemoryTenants,
    settle,
)

KEY = SigningKey.derive("a secret")
ACME, BOLT = TenantName("acme"), TenantName("bolt")


def tenant(name: TenantName = ACME, **fields: object) -> Tenant:
    """Return a tenant that signs with KEY, has the preset `card` unsigned, and the source https://host."""
    known: dict[str, object] = {
        "presets": {"card": parse("w100-webp"), "large": parse("w500-webp")},
        "unsigned": {"card": NO_LADDER},
        "sources": (Source("https://host"),),
    }
    return Tenant(name, (KEY,), **(known | fields))  # type: ignore[arg-type]


def link(path: str, key: SigningKey | None = KEY, expires: int | None = None) -> Link:
    """Return the link of a path, signed unless `key` is None."""
    query = "" if expires is None else f"e={expires}"
    if key is not None:
        query += ("&" if query else "") + "s=" + key.seal(f"{path}?{query}" if query else path)
    return parse_target(path.encode(), query.encode())


@dataclass
class World:
    """One process."""

    permits: int = 1
    queue_length: int = 100
    fetches: int = 32
    deadline_s: float = 10.0
    tenants: MemoryTenants = field(default_factory=lambda: MemoryTenants(tenant(), tenant(BOLT)))
    originals: MemoryOriginals = field(default_factory=MemoryOriginals)
    pixels: FakePixels = field(default_factory=FakePixels)
    refusals: MemoryRefusals = field(default_factory=MemoryRefusals)
    cache: MemoryCache = field(default_factory=MemoryCache)
    source: FakeSource = field(default_factory=lambda: FakeSource(b"\xff\xd8\xff\xe0 source"))
    now_s: float = 1_000_000.0

    def __post_init__(self) -> None:
        self.admission = AdmissionQueue(self.permits, self.queue_length, lambda: self.now_s)
        self.render_log = RenderLog(MemoryRecords())
        self.references = SourceResolver(
            sources={"https": self.source},
            originals=self.originals,
            resolved_references=MemoryResolvedReferences(),
            admission=AdmissionQueue(4, 4),
            deadline_s=5.0,
            clock=lambda: self.now_s,
        )
        self.requests = RequestBuilder(self.tenants, self.references, self.refusals, VERSION, lambda: self.now_s)
        self.delivery = Delivery(
            cache=self.cache,
            originals=self.originals,
            pixels=self.pixels,
            admission=self.admission,
            fetches=FairPermits(self.fetches),
            render_log=self.render_log,
            references=self.references,
            capabilities=Capabilities(),
            deadline_s=self.deadline_s,
            negatives=NegativeCache(lambda: self.now_s),
        )
        self.digest = self.originals.add(ACME, b"an original")

    async def request(
        self, recipe: str, digest: str | None = None, name: TenantName = ACME, *, signed: bool = True
    ) -> ImageRequest:
        """Return the request of a link."""
        target = link(f"/t/{name}/{digest or self.digest}/{recipe}", KEY if signed else None)
        owner = await self.requests.authorize(target)
        resolved = None if target.digest else await self.requests.resolve(owner, target)
        return self.requests.build(owner, target, NegotiationHeaders(), resolved)

    async def start(self, recipe: str, digest: str | None = None, name: TenantName = ACME) -> "asyncio.Task[Delivered]":
        """Deliver in a task of its own, and return it once it waits for something."""
        task = asyncio.create_task(self.delivery.deliver(await self.request(recipe, digest, name)))
        await settle()
        return task

    async def error(self, recipe: str, **place: object) -> DarkroomError | None:
        """Deliver and return the error, or None."""
        try:
            await self.delivery.deliver(await self.request(recipe, **place))  # type: ignore[arg-type]
        except DarkroomError as error:
            return error
        return None

    def change(self, name: TenantName = ACME, **fields: object) -> None:
        """Change a tenant everywhere."""
        changed = replace(self.tenants.records[name], **fields)  # type: ignore[arg-type]
        self.tenants.records[name] = self.tenants.cached[name] = changed

    def with_watermark(self, content: bytes = b"a watermark", *, stored: bool = True) -> Digest:
        """Give acme the watermark `logo`."""
        digest = self.originals.add(ACME, content)
        if not stored:
            del self.originals.stored[ACME, digest]
        self.change(watermarks={"logo": Watermark(digest, Size(20, 10))})
        return digest

    def limit(self, **numbers: int) -> None:
        """Change acme's limits."""
        self.change(limits=Limits(**numbers))
