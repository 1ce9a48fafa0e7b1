"""Imports by address, on both databases: what is refused at once, what a job does, and that it happens once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from sqlmodel import select

from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules, write_rules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.imports import tasks
from catalog.imports.service import ImportOrder, name_of, read_address
from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.records.tenant_settings import TenantSettings
from proxy.core.errors import DarkroomError, SourceNotAllowed, SourceNotFound, SourceTimeout
from proxy.core.media.formats import JPEG, WEBP
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, parse_reference
from proxy.ports import Sink
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import picture
from tests.catalog.jobs.running import run_due
from tests.catalog.samples import ACME, ZOO
from tests.catalog.services import put_source

IMPORT, HOST = "/api/images/import", "https://img.example.com"
URL = f"{HOST}/photos/chair.jpg"


@dataclass
class FakeSources:
    """Answers with `body`, or raises the errors first, one a call."""

    body: bytes = field(default_factory=picture)
    errors: list[DarkroomError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        self.asked.append(str(reference))
        assert known == Validators()
        assert dict(sources[0].credentials) == {"x-key": "k"}
        if self.errors:
            raise self.errors.pop(0)
        for start in range(0, len(self.body), 1_000):
            await sink.append(self.body[start : start + 1_000])
        return Validators()


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()


@pytest.fixture
async def platform(platform: Platform, database: Database, sources: FakeSources) -> Platform:
    """Return an installation whose tenant acme has a source."""
    await put_source(database, ACME, f"{HOST}/photos", {"x-key": "k"})
    return replace(platform, sources={"https": sources})


async def post(client: httpx.AsyncClient, url: str = URL, **fields: Any) -> httpx.Response:  # noqa: ANN401 - fields
    return await client.post(IMPORT, json={"url": url, **fields})


def told(document: dict[str, Any] | None) -> dict[str, Any]:
    assert document is not None
    return document


async def images(database: Database) -> list[Image]:
    async with database.reading() as session:
        return list(await session.scalars(select(Image)))


async def only_job(database: Database) -> Job:
    async with database.reading() as session:
        return (await session.scalars(select(Job))).one()


async def test_an_address_becomes_an_image(client_of: ClientOf, platform: Platform, database: Database) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    fields: dict[str, Any] = {"title": "Chair", "tags": ["blue"], "entity_type": "product", "entity_id": "42"}
    answer = await post(client, **fields)
    job = answer.json()
    assert (answer.status_code, job["state"], job["kind"]) == (202, "queued", "image.import")
    assert job["parameters"] == {"url": URL, "fields": fields}
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert await images(database) == []
    await run_due(platform)
    done = (await client.get(f"/api/jobs/{job['id']}")).json()
    assert (done["state"], done["error"]) == ("succeeded", None)
    image = (await client.get(f"/api/images/{done['result']['image']}")).json()
    assert (done["result"]["duplicate"], image["status"], image["file_name"]) == (False, "ready", "chair.jpg")
    assert (image["title"], image["tags"], image["created_by"]) == ("Chair", ["blue"], job["created_by"])
    assert [(link["type"], link["id"]) for link in image["entities"]] == [("product", "42")]


async def test_the_same_bytes_are_told_as_a_duplicate(client_of: ClientOf, platform: Platform) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    await post(client)
    await post(client, f"{HOST}/photos/other.jpg", tags=["oak"])
    first, second = [told(job.result) for job in await run_due(platform)]
    assert (first["duplicate"], second["duplicate"], first["image"]) == (False, True, second["image"])
    assert (await client.get(f"/api/images/{first['image']}")).json()["tags"] == ["oak"]


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        ("https://elsewhere.example/a.jpg", "source-not-allowed", "POST /api/sources"),
        (f"{HOST}/photosx/a.jpg", "source-not-allowed", "source"),
        (f"{HOST}/photos/../secret.jpg", "url", ". or .."),
        (f"{HOST}/photos/%2e%2e/secret.jpg", "url", ". or .."),
        ("https://bob:pw@img.example.com/photos/a.jpg", "url", "password"),
        ("ftp://img.example.com/photos/a.jpg", "url", "https://host/path"),
        ("file:///etc/passwd", "url", "https://host/path"),
        ("https://img.example.com", "url", "no path"),
        ("https://0x7f.1/a.jpg", "url", "canonical"),
        ("https://img.example.com:443x/a.jpg", "url", "address"),
        ("https://[::1/a.jpg", "url", "address"),
        ("s3://photos/a.jpg", "source-not-allowed", "s3://photos"),
        ("s3://Photos/a.jpg", "url", "bucket"),
        ("x" * 2_000, None, "1024"),
        ("", None, "1"),
    ],
)
async def test_what_is_not_within_a_source_is_refused_at_once(
    client_of: ClientOf, database: Database, url: str, code: str | None, reason: str
) -> None:
    answer = await post(await client_of(Role.CONTRIBUTOR), url)
    assert_problem(answer, 422, "validation")
    [error] = answer.json()["errors"]
    assert error["at"] == "/url"
    assert code is None or error["code"] == code
    assert reason in error["detail"]
    async with database.reading() as session:
        assert (await session.scalars(select(Job))).all() == []


async def test_a_source_is_its_own_tenant_s(client_of: ClientOf) -> None:
    assert_problem(await post(await client_of(Role.CONTRIBUTOR, ZOO)), 422, "validation")
    assert_problem(await post(await client_of(Role.VIEWER)), 403, "not-permitted")


async def test_an_unknown_or_wrong_field_is_refused(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    assert_problem(await post(client, colour="red"), 422, "validation")
    assert_problem(await post(client, entity_type="product"), 422, "validation")
    assert_problem(await client.post(IMPORT, json={"title": "no url"}), 422, "validation")


async def test_an_idempotency_key_queues_one_job(client_of: ClientOf, database: Database) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    answers = [await client.post(IMPORT, json={"url": URL}, headers={"idempotency-key": "one"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert (await only_job(database)).id == answers[0].json()["id"]


async def test_what_the_query_says_is_a_secret(
    client_of: ClientOf, platform: Platform, database: Database, sources: FakeSources
) -> None:
    client = await client_of(Role.ADMIN)
    answer = await post(client, f"{URL}?signature=TOPSECRET&v=1")
    assert answer.json()["parameters"]["url"] == f"{URL}?[redacted]"
    job = await only_job(database)
    async with database.reading() as session:
        events = (await session.scalars(select(AuditEvent).where(AuditEvent.action == "import.requested"))).all()
    assert [event.after for event in events] == [{"url": f"{URL}?[redacted]"}]
    for text in (answer.text, str(job.parameters), (await client.get("/api/jobs")).text):
        assert "TOPSECRET" not in text
    [done] = await run_due(platform)
    assert done.state == "succeeded"
    assert sources.asked == [f"{URL}?signature=TOPSECRET&v=1"]


@pytest.mark.parametrize(
    "error",
    [SourceNotFound("The source answered 404."), SourceNotAllowed("The source's host has no public address.")],
)
async def test_what_another_attempt_would_not_change_fails_at_once(
    client_of: ClientOf, platform: Platform, sources: FakeSources, error: DarkroomError
) -> None:
    sources.errors = [error]
    await post(await client_of(Role.CONTRIBUTOR))
    [job] = await run_due(platform)
    assert (job.state, job.attempts, told(job.error)["code"]) == ("failed", 1, error.code)
    assert error.detail in told(job.error)["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>no image</html>", "upload-refused"),
        (picture()[:-200], "damaged"),
        (b"", "upload-refused"),
        (bytes(2**20 + 1), "over-limit"),
        (picture(width=1_001, height=1_000), "over-limit"),
    ],
)
async def test_what_is_no_image_fails_at_once_and_leaves_nothing(  # noqa: PLR0917 - fixtures and a table
    client_of: ClientOf, platform: Platform, database: Database, sources: FakeSources, body: bytes, code: str
) -> None:
    platform = replace(platform, settings=platform.settings.model_copy(update={"source_pixels": 1_000_000}))
    platform = replace(platform, settings=platform.settings.model_copy(update={"source_bytes": 2**20}))
    sources.body = body
    await post(await client_of(Role.CONTRIBUTOR))
    [job] = await run_due(platform)
    assert (job.state, job.attempts, told(job.error)["code"]) == ("failed", 1, code)
    assert await images(database) == []


async def test_the_tenant_s_rules_apply(
    client_of: ClientOf, platform: Platform, database: Database, sources: FakeSources
) -> None:
    rules = TenantRules(uploads=TenantUploadRules(UploadRules(formats=frozenset({"png"}))))
    async with database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=write_rules(rules)))
    await post(await client_of(Role.CONTRIBUTOR))
    [job] = await run_due(platform)
    assert "Accepted: png" in told(job.error)["detail"]


async def test_a_source_that_is_late_is_asked_again(
    client_of: ClientOf, platform: Platform, database: Database, sources: FakeSources
) -> None:
    sources.errors = [SourceTimeout("Late."), SourceTimeout("Late.")]
    await post(await client_of(Role.CONTRIBUTOR))
    states = [(await run_due(platform))[0] for _ in range(3)]
    assert [(job.state, job.attempts) for job in states] == [("queued", 1), ("queued", 2), ("succeeded", 3)]
    assert len(await images(database)) == 1


async def test_a_source_that_never_ends_is_given_up(
    client_of: ClientOf, platform: Platform, sources: FakeSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(FakeSources, "fetch", hang)
    monkeypatch.setattr(tasks.ImportTask.__init__, "__defaults__", (0.05,))
    await post(await client_of(Role.CONTRIBUTOR))
    [job] = await run_due(platform)
    assert (job.state, told(job.error)["code"]) == ("queued", "source-late")


async def test_a_source_that_was_taken_away_meanwhile_is_not_read(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    """The real adapter asks the tenant's sources; this one is given none of them."""
    from tests.catalog.services import delete_source  # noqa: PLC0415 - used once

    await put_source(database, ACME, "https://another.example.com", {"x-key": "k"})
    await post(await client_of(Role.CONTRIBUTOR))
    await delete_source(database, ACME, f"{HOST}/photos")
    seen: list[tuple[str, ...]] = []

    class Sources:
        async def fetch(self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink) -> None:
            seen.append(tuple(source.prefix for source in sources))
            raise SourceNotAllowed("No source of the tenant allows it.")

    [job] = await run_due(replace(platform, sources={"https": Sources()}))
    assert (job.state, seen) == ("failed", [("https://another.example.com",)])


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://h/a/photo.webp", "photo.webp"),
        ("https://h/a/photo.jpg", "photo.webp"),
        ("https://h/a/M%C3%BCnchen%20Ost.webp", "München Ost.webp"),
        ("https://h/image.php?id=3", "image.webp"),
        ("https://h/a.php.webp", "a.webp"),
        ("https://h/a/", "image.webp"),
        ("https://h/.webp", "image.webp"),
        ("s3://photos/a/b%20c.webp", "b%20c.webp"),
    ],
)
def test_a_name_is_that_of_the_address_with_the_extension_of_the_format(address: str, name: str) -> None:
    assert name_of(parse_reference(address), WEBP) == name
    assert name_of(parse_reference("https://h/photo.JPG"), JPEG) == "photo.JPG"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://IMG.example.com:443/photos/a b.jpg", "https://img.example.com/photos/a%20b.jpg"),
        ("https://img.example.com/photos/%7ea.jpg#part", "https://img.example.com/photos/~a.jpg"),
        ("s3://photos/a b?[redacted]", "s3://photos/a b?[redacted]"),
    ],
)
def test_an_address_is_read_in_any_spelling_and_kept_in_one(database: Database, text: str, canonical: str) -> None:
    sources = (Source("https://img.example.com/photos"), Source("s3://photos"))
    reference = read_address(text, sources)
    assert str(reference) == canonical
    parameters = ImportOrder(reference, {}).to_parameters(database.cipher)
    assert ImportOrder.from_parameters(parameters, database.cipher).reference == reference
