"""The audit trail over the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from catalog.audit.service import LONGEST_TEXT, REDACTED, record
from catalog.core.origin import Origin
from catalog.core.roles import Role, Scope
from catalog.records.database import Database
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ORIGIN, ZOO, principal_of


async def events(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    """Return all events of a query, read in pages."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get("/api/audit", params=query | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return items


async def write(database: Database, action: str, subject: tuple[str, str], **values: object) -> None:
    async with database.writing() as session:
        await record(session, principal_of(subject="token:writer"), ORIGIN, action, subject, **values)  # type: ignore[arg-type]


async def test_every_change_of_a_token_is_an_event_as_the_contract_says(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    agent = {"user-agent": "shop/1.0"}
    created = await admin.post("/api/tokens", json={"role": "viewer", "name": "shop"}, headers=agent)
    identifier = created.json()["id"]
    await admin.delete(f"/api/tokens/{identifier}")
    await admin.delete(f"/api/tokens/{identifier}")
    revoked, event = await events(admin, subject=f"token/{identifier}")
    assert (revoked["action"], revoked["after"]) == ("token.revoked", revoked["before"])
    identity, at = event.pop("id"), event.pop("at")
    [me] = (await admin.get("/api/tokens")).json()["items"][1:]
    assert event == {
        "actor": f"token:{me['id']}",
        "action": "token.created",
        "subject": {"type": "token", "id": identifier},
        "from": {"address": "127.0.0.1", "user_agent": "shop/1.0", "request": created.headers["x-request-id"]},
        "before": None,
        "after": {"name": "shop", "role": "viewer", "scopes": [], "expires_at": None},
    }
    assert len(identity) == 36
    assert datetime.fromisoformat(at) <= datetime.now(UTC)
    assert at.endswith("Z")
    assert created.json()["token"] not in (await admin.get("/api/audit")).text


async def test_a_refused_change_and_a_repeated_one_write_no_event(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    before = await events(admin)
    await admin.post("/api/tokens", json={"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"})
    assert await events(admin) == before
    for _ in range(2):
        await admin.post("/api/tokens", json={"role": "viewer"}, headers={"idempotency-key": "once"})
    assert len(await events(admin)) == len(before) + 1


async def test_secrets_are_redacted_and_long_texts_cut(client_of: ClientOf, database: Database) -> None:
    values = {
        "secret": "s3cret",
        "Token": "s3cret",
        "nested": {"password": "s3cret", "list": [{"credentials": {"key": "s3cret"}}]},
        "gps": [1.0, 2.0],
        "digest": None,
        "text": "x" * (LONGEST_TEXT + 1),
    }
    await write(database, "source.changed", ("source", "1"), before=values, after=values)
    admin = await client_of(Role.ADMIN)
    answer = await admin.get("/api/audit?action=source.changed")
    assert "s3cret" not in answer.text
    [event] = answer.json()["items"]
    assert event["after"] == event["before"]
    assert event["after"] == {
        "secret": REDACTED,
        "Token": REDACTED,
        "nested": {"password": REDACTED, "list": [{"credentials": REDACTED}]},
        "gps": REDACTED,
        "digest": None,
        "text": "x" * LONGEST_TEXT + "…",
    }


async def test_events_are_filtered_and_paged(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    for number in range(3):
        await write(database, "entity.linked", ("entity", f"product/{number}"))
    await write(database, "image.trashed", ("image", "7"))
    middle = (await events(admin, subject="entity/product/1"))[0]
    assert middle["subject"] == {"type": "entity", "id": "product/1"}

    async def subjects(**query: str) -> list[str]:
        return [event["subject"]["id"] for event in await events(admin, **query)]

    assert await subjects(actor="token:writer") == ["7", "product/2", "product/1", "product/0"]
    assert await subjects(actor="token:writer", limit="1") == ["7", "product/2", "product/1", "product/0"]
    assert await subjects(subject="entity") == ["product/2", "product/1", "product/0"]
    assert await subjects(action="image.trashed") == ["7"]
    assert await subjects(actor="token:writer", **{"from": middle["at"]}) == ["7", "product/2", "product/1"]
    assert await subjects(actor="token:writer", to=middle["at"]) == ["product/0"]
    assert await subjects(actor="token:nobody") == []
    later = datetime.now(UTC) + timedelta(days=1)
    assert await subjects(**{"from": later.isoformat()}) == []
    cursor = (await admin.get("/api/audit?limit=1&subject=entity")).json()["next_cursor"]
    assert_problem(await admin.get("/api/audit", params={"cursor": cursor}), 400, "invalid-cursor")


async def test_events_of_other_tenants_are_never_shown(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    identifier = (await acme.post("/api/tokens", json={"role": "viewer"})).json()["id"]
    assert await events(zoo, subject=f"token/{identifier}") == []
    assert identifier not in (await zoo.get("/api/audit?limit=200")).text
    assert identifier not in (await zoo.get("/api/audit?tenant=acme")).text
    assert len(await events(await client_of(Role.OPERATOR, ZOO), tenant="acme", subject=f"token/{identifier}")) == 1


async def test_the_trail_is_for_admins_and_read_only(client_of: ClientOf) -> None:
    editor, narrowed = await client_of(Role.EDITOR), await client_of(Role.ADMIN, ACME, Scope.READ)
    assert_problem(await editor.get("/api/audit"), 403, "not-permitted")
    assert_problem(await narrowed.get("/api/audit"), 403, "not-permitted")
    assert_problem(await editor.get("/api/audit", headers={"authorization": ""}), 401, "unauthenticated")
    admin = await client_of(Role.ADMIN)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await admin.request(method, "/api/audit")).status_code == 405


async def test_an_address_and_a_user_agent_of_any_form_are_recorded(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    headers = [(b"user-agent", b"\xff\x01" + b"x" * 5_000)]
    created = await admin.post("/api/tokens", json={"role": "viewer"}, headers=headers)
    [event] = await events(admin, subject=f"token/{created.json()['id']}")
    assert event["from"]["user_agent"] == ("ÿ" + "x" * 254)
    assert Origin(**event["from"]).request == created.headers["x-request-id"]


@pytest.mark.parametrize(
    "query",
    [
        "actor=%00",
        "actor=" + "a" * 256,
        "action=%00",
        "action=A",
        "action=" + "a" * 65,
        "subject=%00",
        "subject=" + "s" * 321,
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "from=0001-01-01T00:00:00%2B14:00",
        "to=9999-12-31T23:59:59-14:00",
        "to=1e400",
        "since=2026-01-01T00:00:00Z",
        "limit=0",
        "surprise=1",
    ],
)
async def test_bad_queries_are_refused(client_of: ClientOf, query: str) -> None:
    answer = await (await client_of(Role.ADMIN)).get(f"/api/audit?{query}")
    assert_problem(answer, 422, "validation")
    assert answer.json()["errors"][0]["at"] == f"?{query.split('=', maxsplit=1)[0]}"
