"""Scanning of uploads, on both databases: infected, clean, and while the scanner is out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from sqlmodel import select

from catalog.core.api_errors import ScannerLimitExceeded
from catalog.core.errors import ScannerUnavailable
from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules, write_rules
from catalog.ports import Platform, Scanning
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.tenant_settings import TenantSettings
from proxy.adapters.files import FileOriginals
from proxy.core.errors import NotFound
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import OpenOriginal, Originals
from proxy.settings import Settings
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import MULTIPLE, upload
from tests.catalog.jobs.running import run_due
from tests.catalog.samples import ACME, ZOO
from tests.catalog.scanning.eicar import EICAR, commented_png, infected_png

CLEAN, INFECTED = commented_png(b"hello"), infected_png()


@dataclass
class FakeScanner:
    """Finds EICAR; `out` and `refuses` are raised."""

    out: bool = False
    refuses: bool = False
    known: bytes = EICAR
    scanned: list[int] = field(default_factory=list)

    async def scan(self, file: OpenOriginal) -> str | None:
        """See `Scanner`."""
        if self.out:
            raise ScannerUnavailable("The scanner does not answer.")
        if self.refuses:
            raise ScannerLimitExceeded
        self.scanned.append(file.size_bytes)
        return "Eicar-Test" if self.known in file.head(file.size_bytes) else None


@pytest.fixture
def scanner() -> FakeScanner:
    return FakeScanner()


@pytest.fixture
async def platform(
    platform: Platform, settings: Settings, database: Database, scanner: FakeScanner
) -> AsyncIterator[Platform]:
    """Return an installation with a scanner, in which acme has its uploads scanned and zoo does not."""
    async with database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=write_rules(TenantRules(scan=True))))
    quarantine = FileOriginals(settings.home / "quarantine", 2**20)
    yield replace(platform, scanning=Scanning(scanner, quarantine))
    quarantine.close()


async def send(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await upload(client, body, "a.png", "image/png")


async def is_stored(originals: Originals, body: bytes, tenant: TenantName = ACME) -> bool:
    try:
        (await originals.open(tenant, Digest(sha256(body).hexdigest()))).close()
    except NotFound:
        return False
    return True


def quarantine_of(platform: Platform) -> Originals:
    assert platform.scanning is not None
    return platform.scanning.quarantine


def told(document: dict[str, Any] | None) -> dict[str, Any]:
    assert document is not None
    return document


async def actions(database: Database) -> list[str]:
    async with database.reading() as session:
        events = await session.scalars(select(AuditEvent).order_by(AuditEvent.id))
        return [event.action for event in events if event.subject_type == "image"]


async def test_what_is_clean_is_ready(client_of: ClientOf, platform: Platform, scanner: FakeScanner) -> None:
    answer = await send(await client_of(Role.CONTRIBUTOR), CLEAN)
    assert (answer.status_code, answer.json()["status"]) == (201, "ready")
    assert "reason" not in answer.json()
    assert scanner.scanned == [len(CLEAN)]
    assert await is_stored(platform.originals, CLEAN)


async def test_what_is_infected_is_quarantined_and_never_stored(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.EDITOR)
    answer = await send(client, INFECTED)
    image = answer.json()
    assert (answer.status_code, image["status"], image["reason"]) == (201, "quarantined", "Eicar-Test")
    assert not await is_stored(platform.originals, INFECTED)
    assert not await is_stored(quarantine_of(platform), INFECTED)
    assert_problem(await client.get(f"/api/images/{image['id']}/original"), 404, "original-missing")
    again = await send(client, INFECTED)
    assert (again.status_code, again.json()) == (200, image | {"duplicate": True})
    assert await actions(database) == ["image.created"]


async def test_a_tenant_that_did_not_ask_is_not_scanned(client_of: ClientOf, scanner: FakeScanner) -> None:
    answer = await send(await client_of(Role.CONTRIBUTOR, ZOO), INFECTED)
    assert (answer.json()["status"], scanner.scanned) == ("ready", [])


async def test_one_infected_file_of_many_spoils_none(client_of: ClientOf) -> None:
    files = [("files", (f"{n}.png", body, "image/png")) for n, body in enumerate((CLEAN, INFECTED))]
    answer = await (await client_of(Role.CONTRIBUTOR)).post(MULTIPLE, files=files)
    statuses = [(result["status"], result["image"]["status"]) for result in answer.json()["results"]]
    assert statuses == [(201, "ready"), (201, "quarantined")]


async def test_what_the_scanner_does_not_take_is_refused(
    client_of: ClientOf, platform: Platform, scanner: FakeScanner
) -> None:
    scanner.refuses = True
    assert_problem(await send(await client_of(Role.CONTRIBUTOR), CLEAN), 422, "scanner-limit")
    assert not await is_stored(platform.originals, CLEAN)


@pytest.mark.parametrize(("body", "status"), [(CLEAN, "ready"), (INFECTED, "quarantined")])
async def test_what_came_while_the_scanner_was_out_is_scanned_later(  # noqa: PLR0917 - fixtures and a table
    client_of: ClientOf, platform: Platform, database: Database, scanner: FakeScanner, body: bytes, status: str
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    scanner.out = True
    answer = await send(client, body)
    image = answer.json()
    assert (answer.status_code, image["status"]) == (201, "processing")
    assert "scanner" in image["reason"]
    assert not await is_stored(platform.originals, body), "delivery must not reach it"
    assert await is_stored(quarantine_of(platform), body)
    assert (await send(client, body)).json()["status"] == "processing"
    [job] = await run_due(platform)
    assert (job.kind, job.state, job.image) == ("image.scan", "queued", image["id"])
    assert told(job.error)["code"] == "scanner-unavailable"
    scanner.out = False
    [job] = await run_due(platform)
    assert (job.state, told(job.result)["status"]) == ("succeeded", status)
    after = (await client.get(f"/api/images/{image['id']}")).json()
    assert (after["status"], after.get("reason")) == (status, None if status == "ready" else "Eicar-Test")
    assert after["version"] == 2
    assert await is_stored(platform.originals, body) is (status == "ready")
    assert not await is_stored(quarantine_of(platform), body)
    verb = "released" if status == "ready" else "quarantined"
    assert await actions(database) == ["image.created", f"image.{verb}"]


async def test_an_attempt_that_died_after_its_commit_is_finished_by_the_next(
    client_of: ClientOf, platform: Platform, scanner: FakeScanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the deletion: the bytes stay, and the next job finds them."""
    client = await client_of(Role.CONTRIBUTOR)
    scanner.out = True
    await send(client, CLEAN)
    scanner.out = False

    async def die(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(FileOriginals, "delete", die)
        [job] = await run_due(platform)
    assert job.state == "succeeded"
    scanner.out = True
    await send(client, CLEAN)
    scanner.out = False
    jobs = await run_due(platform)
    assert [job.state for job in jobs] == ["succeeded", "succeeded"]
    assert not await is_stored(quarantine_of(platform), CLEAN)


async def test_a_job_whose_file_is_missing_says_what_to_do(
    client_of: ClientOf, platform: Platform, scanner: FakeScanner
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    scanner.out = True
    await send(client, CLEAN)
    await quarantine_of(platform).delete(ACME, Digest(sha256(CLEAN).hexdigest()))
    [job] = await run_due(platform)
    assert (job.state, told(job.error)["code"]) == ("failed", "quarantine-missing")
    scanner.out = False
    assert (await send(client, CLEAN)).json()["status"] == "ready"


async def test_a_limit_of_the_scanner_leaves_the_file_in_the_quarantine(
    client_of: ClientOf, platform: Platform, scanner: FakeScanner
) -> None:
    scanner.out = True
    await send(await client_of(Role.CONTRIBUTOR), CLEAN)
    scanner.out, scanner.refuses = False, True
    [job] = await run_due(platform)
    assert (job.state, told(job.error)["code"], job.attempts) == ("failed", "scanner-limit", 1)
    assert await is_stored(quarantine_of(platform), CLEAN)


async def test_what_was_infected_by_mistake_is_released_when_it_comes_again(
    client_of: ClientOf, platform: Platform, database: Database, scanner: FakeScanner
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    first = (await send(client, INFECTED)).json()
    scanner.known = b"another signature"
    again = await send(client, INFECTED)
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, first["id"], "ready")
    assert "reason" not in again.json()
    assert await is_stored(platform.originals, INFECTED)
    assert await actions(database) == ["image.created", "image.released"]


async def test_switching_the_scanner_off_releases_nothing(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    await send(client, INFECTED)
    async with database.writing() as session:
        row = await session.get_one(TenantSettings, ACME)
        row.document = write_rules(TenantRules())
    assert (await send(client, INFECTED)).json()["status"] == "quarantined"
    assert not await is_stored(platform.originals, INFECTED)


async def test_what_is_found_in_a_ready_image_quarantines_it(client_of: ClientOf, scanner: FakeScanner) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    scanner.known = b"another signature"
    assert (await send(client, INFECTED)).json()["status"] == "ready"
    scanner.known = EICAR
    again = (await send(client, INFECTED)).json()
    assert (again["status"], again["reason"], again["version"]) == ("quarantined", "Eicar-Test", 2)


async def test_an_image_in_the_trash_gets_its_answer_there(
    client_of: ClientOf, platform: Platform, database: Database, scanner: FakeScanner
) -> None:
    scanner.out = True
    image = (await send(await client_of(Role.CONTRIBUTOR), CLEAN)).json()
    async with database.writing() as session:
        row = await session.get_one(Image, image["id"])
        row.status, row.trashed_from = "trashed", "processing"
    scanner.out = False
    await run_due(platform)
    async with database.reading() as session:
        row = await session.get_one(Image, image["id"])
    assert (row.status, row.trashed_from, row.reason) == ("trashed", "ready", None)


async def test_an_image_that_is_gone_meanwhile_leaves_nothing_in_the_quarantine(
    client_of: ClientOf, platform: Platform, database: Database, scanner: FakeScanner
) -> None:
    scanner.out = True
    image = (await send(await client_of(Role.CONTRIBUTOR), INFECTED)).json()
    async with database.writing() as session:
        await session.delete(await session.get_one(Image, image["id"]))
    scanner.out = False
    [job] = await run_due(platform)
    assert (job.state, told(job.result)["status"]) == ("succeeded", None)
    assert not await is_stored(quarantine_of(platform), INFECTED)
