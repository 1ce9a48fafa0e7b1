"""The routes of jobs: the contract's view, filters, cursors, roles, events, and bad input."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from catalog.api.context import ApiContext
from catalog.core.job_state import Priority
from catalog.core.roles import Role, Scope
from catalog.jobs import events
from catalog.jobs.errors import JobFailed
from catalog.records.database import Database
from catalog.records.uuid7 import new_uuid
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import ACME, ZOO
from tests.patience import until


@pytest.fixture
def queue(context: ApiContext, database: Database) -> Queue:
    """Give the queue behind the API."""
    return Queue(database)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_job_is_shown_as_the_contract_says(queue: Queue, client_of: ClientOf) -> None:
    image = new_uuid()
    identifier = await queue.add(kind="images.import", parameters={"n": 1}, image=image)
    claimed = await queue.claim_one()
    await queue.progress(claimed.ref, 3, 10)
    job = (await (await client_of(Role.VIEWER)).get(f"/api/jobs/{identifier}")).json()
    times = {name: job.pop(name) for name in ("created_at", "started_at", "finished_at")}
    assert job == {
        "id": identifier,
        "kind": "images.import",
        "state": "running",
        "progress": {"done": 3, "total": 10},
        "attempts": 1,
        "max_attempts": 5,
        "parameters": {"n": 1},
        "result": None,
        "error": None,
        "image": image,
        "created_by": "system",
    }
    assert times["created_at"].endswith("Z")
    assert times["finished_at"] is None
    await queue.fail(claimed.ref, JobFailed("damaged", "Cut off.", retry=False))
    job = (await (await client_of(Role.VIEWER)).get(f"/api/jobs/{identifier}")).json()
    assert (job["state"], job["error"]) == ("failed", {"code": "damaged", "detail": "Cut off. (attempt 1 of 5)"})


async def test_jobs_are_listed_in_pages_and_by_filters(queue: Queue, client_of: ClientOf) -> None:
    image = new_uuid()
    added = [await queue.add(kind=kind, image=image if kind == "b" else None) for kind in "aabba"]
    await queue.add(ZOO)
    await queue.claim_one()
    viewer = await client_of(Role.VIEWER)

    async def ids(**query: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            answer = await viewer.get("/api/jobs", params=query | ({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            found += [job["id"] for job in answer.json()["items"]]
            if (cursor := answer.json()["next_cursor"]) is None:
                return found

    newest_first = added[::-1]
    assert await ids() == newest_first
    assert await ids(limit="2") == newest_first
    assert await ids(kind="a", limit="1") == [newest_first[0], newest_first[3], newest_first[4]]
    assert await ids(image=image) == newest_first[1:3]
    assert await ids(state="running") == [added[0]]
    assert await ids(state="queued", kind="a") == [added[4], added[1]]
    cursor = (await viewer.get("/api/jobs?limit=1&kind=a")).json()["next_cursor"]
    assert code_of(await viewer.get("/api/jobs", params={"kind": "b", "cursor": cursor})) == (400, "invalid-cursor")


async def test_jobs_are_cancelled_and_retried(queue: Queue, client_of: ClientOf) -> None:
    editor = await client_of(Role.EDITOR)
    queued, running = await queue.add(priority=Priority.BATCH), await queue.add()
    await queue.claim_one()
    cancelled = await editor.post(f"/api/jobs/{queued}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    asked = await editor.post(f"/api/jobs/{running}/cancel")
    assert (asked.status_code, asked.json()["state"]) == (202, "running")
    assert code_of(await editor.post(f"/api/jobs/{queued}/cancel")) == (409, "conflict")
    again = await editor.post(f"/api/jobs/{queued}/retry", headers={"idempotency-key": "k"})
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (200, "queued", 0)
    replayed = await editor.post(f"/api/jobs/{queued}/retry", headers={"idempotency-key": "k"})
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (200, "true")
    assert code_of(await editor.post(f"/api/jobs/{queued}/retry")) == (409, "conflict")


async def test_roles_and_tenants(queue: Queue, client_of: ClientOf, api: ASGIApp) -> None:
    identifier, foreign = await queue.add(), await queue.add(ZOO)
    viewer, contributor = await client_of(Role.VIEWER), await client_of(Role.CONTRIBUTOR)
    for action in ("cancel", "retry"):
        assert code_of(await viewer.post(f"/api/jobs/{identifier}/{action}")) == (403, "not-permitted")
        assert code_of(await contributor.post(f"/api/jobs/{identifier}/{action}")) == (403, "not-permitted")
        assert code_of(await (await client_of(Role.ADMIN)).post(f"/api/jobs/{foreign}/{action}")) == (404, "not-found")
    narrowed = await client_of(Role.ADMIN, ACME, Scope.UPLOAD)
    for path in ("", f"/{identifier}", f"/{identifier}/events"):
        assert code_of(await narrowed.get(f"/api/jobs{path}")) == (403, "not-permitted")
        anonymous = await viewer.get(f"/api/jobs{path}", headers={"authorization": ""})
        assert code_of(anonymous) == (401, "unauthenticated")
    for path in (f"/{foreign}", f"/{foreign}/events"):
        assert code_of(await viewer.get(f"/api/jobs{path}")) == (404, "not-found")


@pytest.mark.parametrize(
    "identifier",
    [
        "x",
        "%00",
        "%ed%a0%80",
        "..%2f..",
        "1" * 5_000,
        "0190f5fe-0000-7000-8000-00000000000G",
        "01A20F29-557A-7CC8-94F1-3FC5DBAE3882",
    ],
)
async def test_ids_that_are_none_are_not_found(queue: Queue, client_of: ClientOf, identifier: str) -> None:
    editor = await client_of(Role.EDITOR)
    assert (await editor.get(f"/api/jobs/{identifier}")).status_code == 404
    assert (await editor.get(f"/api/jobs/{identifier}/events")).status_code == 404
    assert (await editor.post(f"/api/jobs/{identifier}/cancel")).status_code == 404
    assert (await editor.post(f"/api/jobs/{identifier}/retry")).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "state=done",
        "state=",
        "kind=A",
        "kind=%00",
        "kind=%ed%a0%80",
        f"kind={'a' * 65}",
        "image=1",
        "limit=0",
        "limit=201",
        "limit=99999999999999999999",
        "limit=x",
        "unknown=1",
    ],
)
async def test_queries_that_are_not_valid_are_refused(queue: Queue, client_of: ClientOf, query: str) -> None:
    assert code_of(await (await client_of(Role.VIEWER)).get(f"/api/jobs?{query}")) == (422, "validation")


def parse(text: str) -> list[dict[str, Any]]:
    """Parse server-sent events; comments are left out."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_events_report_each_change_and_end_with_the_job(
    queue: Queue, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "POLL_S", 0.02)
    viewer = await client_of(Role.VIEWER)
    identifier = await queue.add()
    following = asyncio.create_task(viewer.get(f"/api/jobs/{identifier}/events"))
    await asyncio.sleep(0.3)
    claimed = await queue.claim_one()
    await asyncio.sleep(0.3)
    await queue.progress(claimed.ref, 1, 2)
    await asyncio.sleep(0.3)
    await queue.succeed(claimed.ref, {"n": 1})
    answer = await following
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    found = parse(answer.text)
    assert [event["event"] for event in found] == ["state", "state", "progress", "state"]
    jobs = [json.loads(event["data"]) for event in found]
    assert [job["state"] for job in jobs] == ["queued", "running", "running", "succeeded"]
    assert jobs[2]["progress"] == {"done": 1, "total": 2}
    assert jobs[3]["result"] == {"n": 1}
    assert len({event["id"] for event in found}) == 4

    again = await viewer.get(f"/api/jobs/{identifier}/events", headers={"last-event-id": found[1]["id"]})
    assert [event["id"] for event in parse(again.text)] == [found[3]["id"]]
    end = await viewer.get(f"/api/jobs/{identifier}/events", headers={"last-event-id": found[3]["id"]})
    assert (end.status_code, end.text) == (204, "")
    strange = await viewer.get(f"/api/jobs/{identifier}/events", headers={b"last-event-id": b"\x80" * 100})
    assert len(parse(strange.text)) == 1
    long = await viewer.get(f"/api/jobs/{identifier}/events", headers={"last-event-id": "x" * 129})
    assert code_of(long) == (422, "validation")


async def test_a_quiet_stream_sends_comments_and_ends_after_its_time(queue: Queue) -> None:
    identifier, clock_s = await queue.add(), 0.0

    async def sleep(seconds: float) -> None:
        nonlocal clock_s
        clock_s += seconds

    async def check() -> None:
        """Let the caller read on."""

    stream = events.JobEvents(queue.database, ACME, identifier, check, sleep, lambda: clock_s).stream()
    blocks = [block.decode() async for block in stream]
    assert blocks[0].startswith("event: state")
    assert set(blocks[1:]) == {": heartbeat\n\n"}
    assert len(blocks) - 1 == int(events.LONGEST_STREAM_S / events.HEARTBEAT_S) - 1


async def test_a_stream_ends_when_its_token_is_revoked(
    queue: Queue, client_of: ClientOf, context: ApiContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "POLL_S", 0.02)
    viewer, admin = await client_of(Role.VIEWER), await client_of(Role.ADMIN)
    identifier = await queue.add()
    following = asyncio.create_task(viewer.get(f"/api/jobs/{identifier}/events"))
    await asyncio.sleep(0.2)
    token = viewer.headers["authorization"].split("_")[1]
    assert (await admin.delete(f"/api/tokens/{token}")).status_code == 204
    context.authenticator._remembered.clear()  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        assert len(parse((await following).text)) == 1


async def test_streams_are_bounded_and_one_that_is_left_makes_room(
    queue: Queue, client_of: ClientOf, api: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS_OF_TENANT", 1)
    monkeypatch.setattr(events, "POLL_S", 0.02)
    viewer = await client_of(Role.VIEWER)
    identifier = await queue.add()
    gone, sent = asyncio.Event(), list[Message]()
    request = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if request:
            return request.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/api/jobs/{identifier}/events",
        "raw_path": f"/api/jobs/{identifier}/events".encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"authorization", viewer.headers["authorization"].encode())],
        "client": ("203.0.113.7", 1),
        "server": ("darkroom.test", 80),
    }
    following = asyncio.ensure_future(api(scope, receive, send))
    await until(lambda: len(sent) > 1)
    refused = await viewer.get(f"/api/jobs/{identifier}/events")
    assert code_of(refused) == (429, "rate-limited")
    assert refused.headers["retry-after"] == "5"
    gone.set()
    await following
    await queue.succeed((await queue.claim_one()).ref)
    assert (await viewer.get(f"/api/jobs/{identifier}/events")).status_code == 200
