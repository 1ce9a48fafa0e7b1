"""References are asked for once, trusted for a while, revalidated, and served stale while their source is out."""

import asyncio
import gc
import weakref
from dataclasses import dataclass, field

import pytest

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
from proxy.delivery.source_resolver import STALE_S, SourceResolver
from proxy.ports import ResolvedReferences
from tests.adapters.samples import OTHER_PICTURE, content_of, named
from tests.delivery.fakes import FakeSource, MemoryOriginals, MemoryResolvedReferences, advance, settle

ONE, TWO = b"\xff\xd8\xff\xe0 one", OTHER_PICTURE.body
TTL_S = 100
CAT = write_reference("https://host/cat.jpg")
DOG = write_reference("https://host/dog.jpg")


def tenant(name: str = "acme", ttl_s: int = TTL_S, prefix: str = "https://host", source_bytes: int = 1_000) -> Tenant:
    limits = Limits(source_bytes=source_bytes)
    return Tenant(TenantName(name), (), limits=limits, sources=(Source(prefix),), reference_ttl_s=ttl_s)


ACME = tenant()


@dataclass
class World:
    """Originals and resolved references in memory, a source, and a clock that the test moves."""

    originals: MemoryOriginals = field(default_factory=MemoryOriginals)
    resolved_references: ResolvedReferences = field(default_factory=MemoryResolvedReferences)
    source: FakeSource = field(default_factory=lambda: FakeSource(ONE))
    now_s: float = 1_795_240_000.0

    def resolver(self, *, admission: AdmissionQueue | None = None) -> SourceResolver:
        """Begin a process."""
        return SourceResolver(
            sources={"https": self.source},
            originals=self.originals,
            resolved_references=self.resolved_references,
            admission=admission or AdmissionQueue(4, 4),
            deadline_s=5.0,
            clock=lambda: self.now_s,
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_what_a_source_gives_is_an_original_of_its_tenant(world: World) -> None:
    digest = await world.resolver().resolve(ACME, CAT)
    assert digest == named(ONE)
    assert content_of(await world.originals.open(ACME.name, digest)) == ONE


async def test_a_source_is_asked_once_within_its_time(world: World) -> None:
    resolver = world.resolver()
    for _ in range(3):
        assert await resolver.resolve(ACME, CAT) == named(ONE)
        world.now_s += TTL_S / 3 - 1
    assert len(world.source.conditions) == 1


async def test_who_asks_at_the_same_time_waits_for_one_answer(world: World) -> None:
    resolver = world.resolver()
    world.source.door.close()
    waiting = [asyncio.create_task(resolver.resolve(ACME, CAT)) for _ in range(20)]
    await settle()
    world.source.door.open()
    assert set(await asyncio.gather(*waiting)) == {named(ONE)}
    assert len(world.source.conditions) == 1


async def test_after_its_time_it_is_asked_whether_it_has_changed(world: World) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    world.now_s += TTL_S
    assert await resolver.resolve(ACME, CAT) == named(ONE)
    world.now_s += TTL_S
    world.source.body = TWO
    assert await resolver.resolve(ACME, CAT) == named(TWO)
    known = Validators(f'"{named(ONE)[:8]}"')
    assert world.source.conditions == [Validators(), known, known]


async def test_an_unchanged_source_is_believed_for_as_long_again(world: World) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    world.now_s += TTL_S
    await resolver.resolve(ACME, CAT)
    world.now_s += TTL_S - 1
    await resolver.resolve(ACME, CAT)
    assert len(world.source.conditions) == 2


async def test_another_process_and_a_restart_know_what_one_has_found(world: World) -> None:
    await world.resolver().resolve(ACME, CAT)
    assert await world.resolver().resolve(ACME, CAT) == named(ONE)
    assert len(world.source.conditions) == 1
    world.now_s += TTL_S
    await world.resolver().resolve(ACME, CAT)
    assert world.source.conditions[1] != Validators()


async def test_what_another_process_asked_since_is_believed(world: World) -> None:
    one, other = world.resolver(), world.resolver()
    await one.resolve(ACME, CAT)
    world.now_s += TTL_S
    await other.resolve(ACME, CAT)
    await one.resolve(ACME, CAT)
    assert len(world.source.conditions) == 2


async def test_a_tenants_reference_is_its_own(world: World) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    await resolver.resolve(tenant("other"), CAT)
    await resolver.resolve(ACME, DOG)
    assert world.source.conditions == [Validators()] * 3


OUT = [SourceFailed("out"), SourceTimeout("slow"), Unavailable("elsewhere"), ServerBusy("many")]


@pytest.mark.parametrize("refusal", OUT, ids=lambda refusal: type(refusal).__name__)
async def test_a_source_that_is_out_is_stood_in_for(world: World, refusal: DarkroomError) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    world.source.error = refusal
    world.now_s += TTL_S
    for _ in range(5):
        assert await resolver.resolve(ACME, CAT) == named(ONE)
    assert len(world.source.conditions) == 2
    world.now_s += 31
    world.source.error, world.source.body = None, TWO
    assert await resolver.resolve(ACME, CAT) == named(TWO)


@pytest.mark.parametrize("refusal", OUT, ids=lambda refusal: type(refusal).__name__)
async def test_not_for_longer_than_a_week(world: World, refusal: DarkroomError) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    world.source.error = refusal
    world.now_s += STALE_S + 1
    with pytest.raises(type(refusal)):
        await resolver.resolve(ACME, CAT)


@pytest.mark.parametrize("refusal", [SourceNotFound("gone"), SourceNotAllowed("moved"), LimitExceeded("grown")])
async def test_a_source_that_says_no_is_not_stood_in_for(world: World, refusal: DarkroomError) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    world.source.error = refusal
    world.now_s += TTL_S
    with pytest.raises(type(refusal)):
        await resolver.resolve(ACME, CAT)


@pytest.mark.parametrize("refusal", [SourceFailed("out"), SourceTimeout("slow"), SourceNotFound("gone")])
async def test_a_source_that_refused_is_not_asked_again_at_once(world: World, refusal: DarkroomError) -> None:
    resolver = world.resolver()
    world.source.error = refusal
    for _ in range(5):
        with pytest.raises(type(refusal)):
            await resolver.resolve(ACME, CAT)
    assert len(world.source.conditions) == 1
    world.source.error = None
    world.now_s += 6
    assert await resolver.resolve(ACME, CAT) == named(ONE)


@pytest.mark.parametrize("body", [b"", b"<html>Please log in</html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
async def test_what_is_of_no_kind_that_is_taken_is_not_kept(world: World, body: bytes) -> None:
    world.source.body = body
    with pytest.raises(UnsupportedFormat):
        await world.resolver().resolve(ACME, CAT)
    with pytest.raises(NotFound):
        await world.originals.open(ACME.name, named(world.source.body))
    assert await world.resolved_references.get(ACME.name, read_reference(CAT)) is None


async def test_what_is_over_the_tenants_limit_is_refused(world: World) -> None:
    with pytest.raises(LimitExceeded, match="5 bytes"):
        await world.resolver().resolve(tenant(source_bytes=5), CAT)


async def test_a_source_has_a_deadline(world: World) -> None:
    world.source.door.close()
    resolving = asyncio.create_task(world.resolver().resolve(ACME, CAT))
    await settle()
    await advance(6.0)
    with pytest.raises(SourceTimeout, match="within 5 seconds"):
        await resolving
    assert world.source.door.cancelled == 1


async def test_as_many_sources_are_asked_as_there_are_places_and_the_rest_is_refused_at_once(world: World) -> None:
    admission = AdmissionQueue(2, 1)
    resolver = world.resolver(admission=admission)
    world.source.door.close()
    waiting = [
        asyncio.create_task(resolver.resolve(ACME, write_reference(f"https://host/{number}"))) for number in range(3)
    ]
    await settle()
    assert admission.waiting == 1
    with pytest.raises(ServerBusy):
        await resolver.resolve(ACME, CAT)
    assert len(world.source.conditions) == 2
    world.source.door.open()
    await asyncio.gather(*waiting)
    assert await resolver.resolve(ACME, CAT) == named(ONE)


async def test_what_was_known_is_of_no_use_once_the_tenant_has_no_such_source(world: World) -> None:
    resolver = world.resolver()
    await resolver.resolve(ACME, CAT)
    with pytest.raises(SourceNotAllowed):
        await resolver.resolve(tenant(prefix="https://elsewhere"), CAT)


async def test_an_unreadable_reference_is_malformed(world: World) -> None:
    with pytest.raises(MalformedRequest):
        await world.resolver().resolve(ACME, CAT + "=")


async def test_an_original_that_was_lost_is_fetched_whole_again(world: World) -> None:
    resolver = world.resolver()
    digest = await resolver.resolve(ACME, CAT)
    await resolver.lost(ACME, CAT, digest)
    assert await resolver.resolve(ACME, CAT) == named(ONE)
    assert world.source.conditions == [Validators(), Validators()]


class NoResolvedReferences:
    """Resolved references that are out."""

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        raise Unavailable("out")

    async def put(self, tenant: TenantName, reference: Reference, meaning: ResolvedReference) -> None:
        raise Unavailable("out")


async def test_without_stored_references_each_process_remembers_its_own() -> None:
    world = World(resolved_references=NoResolvedReferences())
    resolver = world.resolver()
    for _ in range(2):
        assert await resolver.resolve(ACME, CAT) == named(ONE)
        assert len(world.source.conditions) == 1
    world.now_s += TTL_S
    assert await resolver.resolve(ACME, CAT) == named(ONE)
    assert world.source.conditions[1] != Validators()


async def test_a_client_that_leaves_ends_the_fetch(world: World) -> None:
    resolver = world.resolver(admission=AdmissionQueue(1, 4))
    world.source.door.close()
    leaving = asyncio.create_task(resolver.resolve(ACME, CAT))
    await settle()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    world.source.door.open()
    assert await resolver.resolve(ACME, DOG) == named(ONE)
    assert world.source.door.cancelled == 1


async def test_closing_ends_all_fetches(world: World) -> None:
    resolver = world.resolver()
    world.source.door.close()
    resolving = asyncio.create_task(resolver.resolve(ACME, CAT))
    await settle()
    await resolver.close()
    await asyncio.gather(resolving, return_exceptions=True)
    assert world.source.door.cancelled == 1


async def test_a_flood_of_one_tenants_references_makes_room_for_another(world: World) -> None:
    resolver = world.resolver(admission=AdmissionQueue(1, 3))
    world.source.door.close()
    flood = [
        asyncio.create_task(resolver.resolve(ACME, write_reference(f"https://host/{number}"))) for number in range(4)
    ]
    await settle()
    small = asyncio.create_task(resolver.resolve(tenant("small"), CAT))
    await settle()
    assert isinstance(flood[-1].exception(), ServerBusy)
    world.source.door.open()
    assert await small == named(ONE)
    await asyncio.gather(*flood, return_exceptions=True)


class Witness:
    """Lives as long as the frame that has it."""


async def test_remembered_refusals_keep_no_frames_alive(world: World) -> None:
    resolver = world.resolver()
    witnesses: list[weakref.ref[Witness]] = []

    async def refused(number: int) -> None:
        witness = Witness()
        witnesses.append(weakref.ref(witness))
        await resolver.resolve(ACME, write_reference(f"https://host/{number}"))

    for number in [*range(5), *range(5)]:
        world.source.error = SourceNotFound("gone")
        with pytest.raises(SourceNotFound):
            await refused(number)
    assert len(world.source.conditions) == 5
    world.source.error = None
    await settle()
    gc.collect()
    assert sum(witness() is not None for witness in witnesses) == 0
