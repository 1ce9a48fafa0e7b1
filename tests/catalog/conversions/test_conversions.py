"""Conversions: refused before they are queued, done by a job, and an image that is kept is there exactly once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from catalog.conversions.service import KIND
from catalog.conversions.tasks import ConversionHandler
from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.jobs.errors import LeaseLost
from catalog.jobs.ports import JobEngine
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.worker import create_engine, handlers_of, running
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import OpenOriginal, Originals
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.test_uploads import rows_of, set_rules, upload
from tests.catalog.images.pictures import picture
from tests.catalog.jobs.queue import LEASE_S, Queue
from tests.catalog.jobs.running import run_due
from tests.catalog.samples import ACME, ZOO

FIELDS: dict[str, Any] = {"title": "Chair", "alt_text": "A chair", "tags": ["oak"], "focus": "0.25,0.75"}


@pytest.fixture
async def engine(platform: Platform) -> AsyncIterator[JobEngine]:
    """Run jobs in this process."""
    async with running(create_engine(platform.settings, platform.database, handlers_of(platform))) as engine:
        yield engine


async def conversions_of(database: Database) -> list[Job]:
    return [job for job in await rows_of(database, Job) if job.kind == KIND]


async def convert(client: httpx.AsyncClient, identifier: str, **body: str) -> httpx.Response:
    return await client.put(f"/api/images/{identifier}/convert", json=body)


async def finished(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """Return the job of a conversion when it is finished."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/jobs/{answer.json()['id']}"
    async with asyncio.timeout(30):
        while True:
            job: dict[str, Any] = (await client.get(answer.headers["location"])).json()
            if job["state"] not in {"queued", "running"}:
                return job
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("engine")
async def test_a_derivative_is_rendered_for_its_url(client_of: ClientOf, platform: Platform) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture(), **FIELDS)).json()
    job = await finished(editor, await convert(editor, image["id"], format="webp", recipe="w20-h20"))
    assert job["state"] == "succeeded", job
    assert (job["kind"], job["image"]) == ("image.convert", image["id"])
    result = job["result"]
    assert f"/t/acme/{image['original']}/w20-h20-fp0.25_0.75-webp?s=" in result["url"]
    assert (result["media_type"], result["width"], result["height"]) == ("image/webp", 20, 20)
    assert result["size_bytes"] > 0
    assert platform.settings.base_url == result["url"].partition("/t/")[0]


@pytest.mark.usefixtures("engine")
async def test_an_image_is_kept_with_what_is_said_about_the_old_one(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    editor = await client_of(Role.EDITOR)
    old = (await upload(editor, picture(), "Stuhl.v2.jpg", **FIELDS)).json()
    job = await finished(editor, await convert(editor, old["id"], format="png", keep="image"))
    assert job["state"] == "succeeded", job
    new = (await editor.get(f"/api/images/{job['result']['image']}")).json()
    assert job["result"]["created"] is True
    assert (new["file_name"], new["media_type"], new["width"]) == ("Stuhl.v2.png", "image/png", 40)
    for name in ("title", "alt_text", "tags", "focus", "created_by"):
        assert new[name] == old[name], name
    assert new["entities"] == []
    with await platform.originals.open(ACME, Digest(new["original"])) as original:
        assert original.size_bytes == new["size_bytes"] == job["result"]["size_bytes"]
    again = await finished(editor, await convert(editor, old["id"], format="png", keep="image"))
    assert (again["result"]["image"], again["result"]["created"]) == (new["id"], False)
    cropped = await finished(editor, await convert(editor, old["id"], format="png", keep="image", recipe="w9-h9"))
    assert (await editor.get(f"/api/images/{cropped['result']['image']}")).json()["focus"] == {"x": 0.5, "y": 0.5}
    turned = await finished(editor, await convert(editor, old["id"], format="png", keep="image", recipe="rot90"))
    assert (await editor.get(f"/api/images/{turned['result']['image']}")).json()["focus"] == {"x": 0.25, "y": 0.25}
    actions = [event.action for event in await rows_of(database, AuditEvent)]
    assert (actions.count("image.created"), actions.count("image.conversion-requested")) == (4, 4)


@pytest.mark.usefixtures("engine")
async def test_a_conversion_that_the_tenant_does_not_take_fails_at_once(
    client_of: ClientOf, database: Database
) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture())).json()
    await set_rules(database, TenantRules(TenantUploadRules(UploadRules(formats=frozenset({"jpeg"})))))
    job = await finished(editor, await convert(editor, image["id"], format="png", keep="image"))
    assert (job["state"], job["error"]["code"], job["attempts"]) == ("failed", "upload-refused", 1)


async def test_the_same_conversion_is_queued_once(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture())).json()
    ids = {(await convert(editor, image["id"], format="webp")).json()["id"] for _ in range(3)}
    ids.add((await convert(editor, image["id"], format="webp", recipe="w20")).json()["id"])
    ids.add((await convert(editor, image["id"], format="webp", keep="image")).json()["id"])
    assert len(ids) == 3 == len(await conversions_of(database))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"format": "bmp"}, 422, "validation"),
        ({"format": "auto"}, 422, "validation"),
        ({"format": "json"}, 422, "validation"),
        ({"format": "tiff", "keep": "image"}, 422, "validation"),
        ({"format": "png", "recipe": "w20-webp"}, 422, "validation"),
        ({"format": "png", "keep": "both"}, 422, "validation"),
        ({"format": "png", "width": "5"}, 422, "validation"),
        ({"recipe": "w5"}, 422, "validation"),
        ({"format": "png", "recipe": "wide"}, 400, "recipe"),
        ({"format": "jpeg", "recipe": "lossless"}, 400, "recipe"),
        ({"format": "png", "recipe": "~nothing"}, 400, "recipe"),
        ({"format": "png", "recipe": "page2"}, 422, "over-limit"),
    ],
)
async def test_what_cannot_be_converted_is_refused_at_once(
    client_of: ClientOf, database: Database, body: dict[str, str], status: int, code: str
) -> None:
    editor = await client_of(Role.EDITOR)
    image = (await upload(editor, picture())).json()
    answer = await convert(editor, image["id"], **body)
    assert_problem(answer, status, code)
    assert await conversions_of(database) == []
    if body == {"format": "bmp"}:
        assert "jpeg, webp, avif, png, gif, tiff" in answer.json()["errors"][0]["detail"]


async def test_who_may_convert_what(client_of: ClientOf, database: Database) -> None:
    contributor = await client_of(Role.CONTRIBUTOR)
    identifier = (await upload(contributor, picture())).json()["id"]
    assert_problem(await convert(contributor, identifier, format="png"), 403, "not-permitted")
    assert_problem(await convert(await client_of(Role.EDITOR, ZOO), identifier, format="png"), 404, "not-found")
    async with database.writing() as session:
        await session.execute(update(Image).values(status="trashed"))
    assert_problem(await convert(await client_of(Role.EDITOR), identifier, format="png"), 409, "conflict")


class DyingOriginals:
    """A store whose process is killed as soon as it has stored."""

    def __init__(self, store: Originals) -> None:
        self._store = store

    async def put(self, tenant: TenantName, digest: Digest, source: OpenOriginal) -> bool:
        """Store, and die."""
        await self._store.put(tenant, digest, source)
        raise asyncio.CancelledError

    async def open(self, tenant: TenantName, digest: Digest) -> OpenOriginal:
        """Open as the store does."""
        return await self._store.open(tenant, digest)

    async def contains(self, tenant: TenantName, digest: Digest) -> bool:
        """Answer as the store does."""
        return await self._store.contains(tenant, digest)

    async def delete(self, tenant: TenantName, digest: Digest) -> None:
        """Delete as the store does."""
        await self._store.delete(tenant, digest)

    async def ping(self) -> None:
        """Answer as the store does."""
        await self._store.ping()


async def claimed(queue: Queue, database: Database) -> RunningJob:
    """Return the next job in the hands of a worker."""
    return RunningJob(database, await queue.claim_one(), LEASE_S)


async def test_workers_that_are_killed_leave_one_image(
    client_of: ClientOf, platform: Platform, database: Database
) -> None:
    """One is killed when the bytes are stored; one is only slow, has lost its lease, and goes on."""
    editor, handler = await client_of(Role.EDITOR), ConversionHandler(platform)
    image = (await upload(editor, picture())).json()
    await run_due(platform)  # the pipeline's job
    job = (await convert(editor, image["id"], format="png", keep="image")).json()["id"]

    queue = Queue(database)
    queue.pass_time(1)
    dying = await claimed(queue, database)
    with pytest.raises(asyncio.CancelledError):
        await ConversionHandler(replace(platform, originals=DyingOriginals(platform.originals))).handle(dying)

    queue.pass_time(2 * LEASE_S)
    await queue.sweep()
    queue.pass_time(2 * LEASE_S)
    slow = await claimed(queue, database)
    queue.pass_time(2 * LEASE_S)
    await queue.sweep()
    queue.pass_time(2 * LEASE_S)
    last = await claimed(queue, database)
    outcomes = await asyncio.gather(handler.handle(slow), handler.handle(last), return_exceptions=True)
    assert isinstance(outcomes[0], LeaseLost)
    assert last.finished

    row = await queue.job(job)
    assert (row.state, row.result) == ("succeeded", outcomes[1])
    assert len(await rows_of(database, Image)) == 2
    actions = [event.action for event in await rows_of(database, AuditEvent)]
    assert actions.count("image.created") == 2
