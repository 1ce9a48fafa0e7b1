"""References are asked for once, trusted for a while, revalidated, and served stale while their source is out."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.adapters.files import FileOriginals, FileResolvedReferences
from proxy.core.errors import (
    DarkroomError,
    LimitExceeded,
    MalformedRequest,
    NotFound,
    ServerBusy,
    SourceFailed,
    SourceNotAllowed,
    SourceNotFound,
    SourceTimeout,
    Unavailable,
    UnsupportedFormat,
)
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import Limits
from proxy.core.tenant import Tenant
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, read_reference, write_reference
from proxy.delivery.admission import AdmissionQueue
from proxy.delivery.source_resolver import STALE_S, Outside, SourceResolver
from proxy.ports import Sink
from tests.adapters.samples import LIMIT_BYTES, OTHER_PICTURE, content_of, named
from tests.patience import until

ONE, TWO = b"\xff\xd8\xff\xe0 one", OTHER_PICTURE.body
TTL_S = 100
CAT = write_reference("https://host/cat.jpg")
DOG = write_reference("https://host/dog.jpg")


@dataclass
class Far:
    """A source under the test's hand: what it has, whether it lets go, how often it was asked and with what."""

    body: bytes = ONE
    refusal: DarkroomError | None = None
    asked: list[Validators] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def __post_init__(self) -> None:
        self.open.set()

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        self.asked.append(known)
        self.arrived.release()
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal
        validators = Validators(f'"{named(self.body)[:8]}"')
        if known == validators:
            return None
        sink.write(self.body)
        return validators


def tenant(name: str = "acme", ttl_s: int = TTL_S, prefix: str = "https://host", source_bytes: int = 1_000) -> Tenant:
    limits = Limits(source_bytes=source_bytes)
    return Tenant(TenantName(name), (), limits=limits, sources=(Source(prefix),), reference_ttl_s=ttl_s)


ACME = tenant()


@dataclass
class World:
    """A folder with originals and resolved_references, a source, and a clock that the test moves."""

    originals: FileOriginals
    resolved_references: FileResolvedReferences
    far: Far = field(default_factory=Far)
    now_s: float = 1_795_240_000.0

    def references(self, *, gate: AdmissionQueue | None = None, deadline_s: float = 10.0) -> SourceResolver:
        """Begin a process."""
        outside = Outside({"https": self.far}, self.originals, self.resolved_references)
        return SourceResolver(outside, gate or AdmissionQueue(4, 4), deadline_s, lambda: self.now_s)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(FileOriginals(tmp_path, LIMIT_BYTES), FileResolvedReferences(tmp_path))
    yield world
    world.originals.close()
    world.resolved_references.close()


async def test_what_a_source_gives_is_an_original_of_its_tenant(world: World) -> None:
    digest = await world.references().resolve(ACME, CAT)
    assert digest == named(ONE)
    assert content_of(await world.originals.open(ACME.name, digest)) == ONE


async def test_a_source_is_asked_once_within_its_time(world: World) -> None:
    references = world.references()
    for _ in range(3):
        assert await references.resolve(ACME, CAT) == named(ONE)
        world.now_s += TTL_S / 3 - 1
    assert len(world.far.asked) == 1


async def test_who_asks_at_the_same_time_waits_for_one_answer(world: World) -> None:
    references = world.references()
    world.far.open.clear()
    waiting = [asyncio.create_task(references.resolve(ACME, CAT)) for _ in range(20)]
    await world.far.arrived.acquire()
    world.far.open.set()
    assert set(await asyncio.gather(*waiting)) == {named(ONE)}
    assert len(world.far.asked) == 1


async def test_after_its_time_it_is_asked_whether_it_has_changed(world: World) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    world.now_s += TTL_S
    assert await references.resolve(ACME, CAT) == named(ONE)
    world.now_s += TTL_S
    world.far.body = TWO
    assert await references.resolve(ACME, CAT) == named(TWO)
    known = Validators(f'"{named(ONE)[:8]}"')
    assert world.far.asked == [Validators(), known, known]


async def test_an_unchanged_source_is_believed_for_as_long_again(world: World) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    world.now_s += TTL_S
    await references.resolve(ACME, CAT)
    world.now_s += TTL_S - 1
    await references.resolve(ACME, CAT)
    assert len(world.far.asked) == 2


async def test_another_process_and_a_restart_know_what_one_has_found(world: World) -> None:
    await world.references().resolve(ACME, CAT)
    assert await world.references().resolve(ACME, CAT) == named(ONE)
    assert len(world.far.asked) == 1
    world.now_s += TTL_S
    await world.references().resolve(ACME, CAT)
    assert world.far.asked[1] != Validators()


async def test_what_another_process_asked_since_is_believed(world: World) -> None:
    one, other = world.references(), world.references()
    await one.resolve(ACME, CAT)
    world.now_s += TTL_S
    await other.resolve(ACME, CAT)
    await one.resolve(ACME, CAT)
    assert len(world.far.asked) == 2


async def test_a_tenants_reference_is_its_own(world: World) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    await references.resolve(tenant("other"), CAT)
    await references.resolve(ACME, DOG)
    assert world.far.asked == [Validators()] * 3


OUT = [SourceFailed("out"), SourceTimeout("slow"), Unavailable("elsewhere"), ServerBusy("many")]


@pytest.mark.parametrize("refusal", OUT, ids=lambda refusal: type(refusal).__name__)
async def test_a_source_that_is_out_is_stood_in_for(world: World, refusal: DarkroomError) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    world.far.refusal = refusal
    world.now_s += TTL_S
    for _ in range(5):
        assert await references.resolve(ACME, CAT) == named(ONE)
    assert len(world.far.asked) == 2
    world.now_s += 31
    world.far.refusal, world.far.body = None, TWO
    assert await references.resolve(ACME, CAT) == named(TWO)


@pytest.mark.parametrize("refusal", OUT, ids=lambda refusal: type(refusal).__name__)
async def test_not_for_longer_than_a_week(world: World, refusal: DarkroomError) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    world.far.refusal = refusal
    world.now_s += STALE_S + 1
    with pytest.raises(type(refusal)):
        await references.resolve(ACME, CAT)


@pytest.mark.parametrize("refusal", [SourceNotFound("gone"), SourceNotAllowed("moved"), LimitExceeded("grown")])
async def test_a_source_that_says_no_is_not_stood_in_for(world: World, refusal: DarkroomError) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    world.far.refusal = refusal
    world.now_s += TTL_S
    with pytest.raises(type(refusal)):
        await references.resolve(ACME, CAT)


@pytest.mark.parametrize("refusal", [SourceFailed("out"), SourceTimeout("slow"), SourceNotFound("gone")])
async def test_a_source_that_refused_is_not_asked_again_at_once(world: World, refusal: DarkroomError) -> None:
    references = world.references()
    world.far.refusal = refusal
    for _ in range(5):
        with pytest.raises(type(refusal)):
            await references.resolve(ACME, CAT)
    assert len(world.far.asked) == 1
    world.far.refusal = None
    world.now_s += 6
    assert await references.resolve(ACME, CAT) == named(ONE)


@pytest.mark.parametrize("body", [b"", b"<html>Please log in</html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
async def test_what_is_of_no_kind_that_is_taken_is_not_kept(world: World, body: bytes) -> None:
    world.far.body = body
    with pytest.raises(UnsupportedFormat):
        await world.references().resolve(ACME, CAT)
    with pytest.raises(NotFound):
        await world.originals.open(ACME.name, named(world.far.body))
    assert await world.resolved_references.get(ACME.name, read_reference(CAT)) is None


async def test_what_is_over_the_tenants_limit_is_refused(world: World) -> None:
    with pytest.raises(LimitExceeded, match="5 bytes"):
        await world.references().resolve(tenant(source_bytes=5), CAT)


async def test_a_source_has_a_deadline(world: World) -> None:
    world.far.open.clear()
    with pytest.raises(SourceTimeout, match=r"0\.05 seconds"):
        await world.references(deadline_s=0.05).resolve(ACME, CAT)


async def test_as_many_sources_are_asked_as_there_are_places_and_the_rest_is_refused_at_once(world: World) -> None:
    gate = AdmissionQueue(2, 1)
    references = world.references(gate=gate)
    world.far.open.clear()
    waiting = [
        asyncio.create_task(references.resolve(ACME, write_reference(f"https://host/{number}"))) for number in range(3)
    ]
    for _ in range(2):
        await world.far.arrived.acquire()
    await until(lambda: gate.waiting == 1)
    with pytest.raises(ServerBusy):
        await references.resolve(ACME, CAT)
    assert len(world.far.asked) == 2
    world.far.open.set()
    await asyncio.gather(*waiting)
    assert await references.resolve(ACME, CAT) == named(ONE)


async def test_what_was_known_is_of_no_use_once_the_tenant_has_no_such_source(world: World) -> None:
    references = world.references()
    await references.resolve(ACME, CAT)
    with pytest.raises(SourceNotAllowed):
        await references.resolve(tenant(prefix="https://elsewhere"), CAT)


async def test_an_unreadable_reference_is_malformed(world: World) -> None:
    with pytest.raises(MalformedRequest):
        await world.references().resolve(ACME, CAT + "=")


async def test_an_original_that_was_lost_is_fetched_whole_again(world: World) -> None:
    references = world.references()
    digest = await references.resolve(ACME, CAT)
    await references.lost(ACME, CAT, digest)
    assert await references.resolve(ACME, CAT) == named(ONE)
    assert world.far.asked == [Validators(), Validators()]


class NoMeanings:
    """A place for resolved_references that is out."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        raise Unavailable("out")

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        raise Unavailable("out")


async def test_without_a_place_for_meanings_each_process_remembers_its_own(world: World) -> None:
    outside = Outside({"https": world.far}, world.originals, NoMeanings())
    references = SourceResolver(outside, AdmissionQueue(1, 1), 10.0, lambda: world.now_s)
    for _ in range(2):
        assert await references.resolve(ACME, CAT) == named(ONE)
        assert len(world.far.asked) == 1
    world.now_s += TTL_S
    assert await references.resolve(ACME, CAT) == named(ONE)
    assert world.far.asked[1] != Validators()


async def test_who_leaves_ends_the_asking(world: World) -> None:
    references = world.references(gate=AdmissionQueue(1, 4))
    world.far.open.clear()
    leaving = asyncio.create_task(references.resolve(ACME, CAT))
    await world.far.arrived.acquire()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    world.far.open.set()
    assert await references.resolve(ACME, DOG) == named(ONE)
