"""Tokens over the API, and with them what all routes share."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from cachetools import TTLCache
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp

from catalog.api.context import ApiContext
from catalog.core.api_errors import Unauthenticated
from catalog.core.roles import Role, Scope
from catalog.core.token_format import ApiToken
from catalog.management import create_api
from catalog.records.database import Database
from catalog.records.identity import Token
from catalog.tokens import authenticator as authentication
from catalog.tokens import service
from catalog.tokens.authenticator import Authenticator
from tests.catalog.api.fixtures import MAX_UPLOAD_BYTES, ClientOf
from tests.catalog.samples import ACME, ZOO


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """Assert an RFC 9457 answer with everything that the contract names."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "request"} <= answer.json().keys()
    assert answer.json()["request"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_token_is_shown_once_works_and_is_listed_without_its_secret(client_of: ClientOf, api: ASGIApp) -> None:
    admin = await client_of(Role.ADMIN)
    created = await admin.post("/api/tokens", json={"role": "viewer", "name": "shop", "scopes": ["read"]})
    assert created.status_code == 201
    assert created.headers["location"] == f"/api/tokens/{created.json()['id']}"
    token = created.json()["token"]
    shown = (await admin.get(created.headers["location"])).json()
    assert (shown["name"], shown["role"], shown["scopes"]) == ("shop", "viewer", ["read"])
    assert token not in (await admin.get("/api/tokens")).text
    assert created.json()["id"] in (await admin.get("/api/tokens")).text


async def test_a_revoked_token_stops(client_of: ClientOf, api: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "CACHE_S", 0.0)
    admin = await client_of(Role.ADMIN)
    created = (await admin.post("/api/tokens", json={"role": "admin"})).json()
    headers = {"authorization": f"Bearer {created['token']}"}
    assert (await admin.delete(f"/api/tokens/{created['id']}")).status_code == 204
    assert (await admin.delete(f"/api/tokens/{created['id']}")).status_code == 204
    assert_problem(await admin.get("/api/tokens", headers=headers), 401, "unauthenticated")
    assert (await admin.get(f"/api/tokens/{created['id']}")).json()["revoked_at"] is not None


async def test_an_expired_token_is_refused(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    soon = datetime.now(UTC) + timedelta(hours=1)
    created = (await admin.post("/api/tokens", json={"role": "admin", "expires_at": soon.isoformat()})).json()
    async with database.writing() as session:
        (await session.get_one(Token, created["id"])).expires_at = datetime.now(UTC) - timedelta(seconds=1)
    headers = {"authorization": f"Bearer {created['token']}"}
    assert_problem(await admin.get("/api/tokens", headers=headers), 401, "unauthenticated")
    past = {"role": "admin", "expires_at": "2020-01-01T00:00:00Z"}
    assert_problem(await admin.post("/api/tokens", json=past), 409, "conflict")


async def test_nobody_grants_a_role_above_their_own(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    assert_problem(await admin.post("/api/tokens", json={"role": "operator"}), 403, "not-permitted")
    editor = await client_of(Role.EDITOR)
    assert_problem(await editor.post("/api/tokens", json={"role": "viewer"}), 403, "not-permitted")
    narrowed = await client_of(Role.ADMIN, ACME, Scope.READ)
    assert_problem(await narrowed.get("/api/tokens"), 403, "not-permitted")


async def test_tokens_of_other_tenants_do_not_exist(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    created = (await acme.post("/api/tokens", json={"role": "viewer"})).json()
    place = f"/api/tokens/{created['id']}"
    assert_problem(await zoo.get(place), 404, "not-found")
    assert_problem(await zoo.delete(place), 404, "not-found")
    assert created["id"] not in (await zoo.get("/api/tokens?limit=200")).text
    operator = await client_of(Role.OPERATOR, ZOO)
    assert created["id"] in (await operator.get("/api/tokens?tenant=acme")).text
    assert_problem(await operator.get("/api/tokens?tenant=nobody"), 404, "not-found")
    assert_problem(await operator.get("/api/tokens?tenant=No+Name"), 400, "invalid-request")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer drk_x",
        "Bearer drk_" + "a" * 51,
        "Bearer " + "x" * 20_000,
        "Bearer \xe9",
    ],
)
async def test_without_a_good_token_there_is_one_answer(client_of: ClientOf, authorization: str) -> None:
    client = await client_of(Role.ADMIN)
    answer = await client.get("/api/tokens", headers=[(b"authorization", authorization.encode("latin-1"))])
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "invalid-request"),
        (b"\xff\xfe", 400, "invalid-request"),
        (b"[" * 100_000, 400, "invalid-request"),
        (b"null", 422, "validation"),
        (b"[]", 422, "validation"),
        (b'{"role": 5}', 422, "validation"),
        (b'{"role": "viewer", "name": 5}', 422, "validation"),
        (b'{"role": "viewer", "name": "\\u0000"}', 422, "validation"),
        (b'{"role": "viewer", "name": "\\ud800"}', 422, "validation"),
        (b'{"role": "viewer", "name": "' + b"n" * 129 + b'"}', 422, "validation"),
        (b'{"role": "viewer", "surprise": 1}', 422, "validation"),
        (b'{"role": "viewer", "expires_at": "2027-01-01T00:00:00"}', 422, "validation"),
        (b'{"role": "viewer", "expires_at": 1e400}', 422, "validation"),
        (b'{"role": "viewer", "expires_at": "9999-12-31T23:59:59-14:00"}', 422, "validation"),
        (b'{"role": "viewer", "scopes": ["fly"]}', 422, "validation"),
        (b'{"role": "viewer", "pad": "' + b"x" * 2**20 + b'"}', 413, "too-large"),
    ],
)
async def test_bad_bodies_are_refused_and_write_nothing(
    client_of: ClientOf, content: bytes, status: int, code: str
) -> None:
    admin = await client_of(Role.ADMIN)
    before = (await admin.get("/api/tokens")).json()
    answer = await admin.post("/api/tokens", content=content, headers={"content-type": "application/json"})
    assert_problem(answer, status, code)
    assert [row["id"] for row in (await admin.get("/api/tokens")).json()["items"]] == [
        row["id"] for row in before["items"]
    ]


async def test_a_validation_error_names_the_field(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    answer = await admin.post("/api/tokens", json={"role": "viewer", "scopes": ["read", "fly"], "x/y~": 1})
    assert {error["at"] for error in answer.json()["errors"]} == {"/scopes/1", "/x~1y~0"}


async def test_the_same_key_is_done_once_and_another_body_is_refused(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    headers = {"idempotency-key": "order-17"}
    first = await admin.post("/api/tokens", json={"role": "viewer"}, headers=headers)
    again = await admin.post("/api/tokens", json={"role": "viewer"}, headers=headers)
    assert (again.status_code, again.content, again.headers["location"]) == (
        201,
        first.content,
        first.headers["location"],
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = await admin.post("/api/tokens", json={"role": "editor"}, headers=headers)
    assert_problem(other, 422, "idempotency-key-reused")
    assert len((await admin.get("/api/tokens")).json()["items"]) == 2
    stranger = await client_of(Role.ADMIN, ZOO)
    assert (await stranger.post("/api/tokens", json={"role": "editor"}, headers=headers)).status_code == 201
    for key in ("", "é", "k" * 256, "a\tb"):
        raw = [(b"idempotency-key", key.encode("latin-1"))]
        answer = await admin.post("/api/tokens", json={"role": "viewer"}, headers=raw)
        assert_problem(answer, 400, "invalid-request")


async def test_many_requests_with_one_key_at_once_make_one_token(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    headers = {"idempotency-key": "at once"}
    answers = await asyncio.gather(
        *(admin.post("/api/tokens", json={"role": "viewer"}, headers=headers) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.content for answer in answers}) == 1


async def test_a_failed_change_leaves_its_key_free(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    headers = {"idempotency-key": "retry"}
    refused = {"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}
    assert_problem(await admin.post("/api/tokens", json=refused, headers=headers), 409, "conflict")
    assert_problem(await admin.post("/api/tokens", json=refused, headers=headers), 409, "conflict")


async def test_pages_neither_skip_nor_repeat_under_inserts(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    made = [(await admin.post("/api/tokens", json={"role": "viewer"})).json()["id"] for _ in range(5)]
    listed, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/api/tokens", params=query)).json()
        listed += [row["id"] for row in page["items"]]
        await admin.post("/api/tokens", json={"role": "viewer"})
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(listed) == len(set(listed)) == 6
    assert [identifier for identifier in listed if identifier in made] == list(reversed(made))


async def test_cursors_of_others_are_refused(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    await acme.post("/api/tokens", json={"role": "viewer"})
    cursor = (await acme.get("/api/tokens?limit=1")).json()["next_cursor"]
    assert (await acme.get("/api/tokens", params={"cursor": cursor})).status_code == 200
    for wrong in (cursor + "x", cursor[:-1], "x", "\u00e9", "." * 1_000):
        assert_problem(await acme.get("/api/tokens", params={"cursor": wrong}), 400, "invalid-cursor")
    assert_problem(await zoo.get("/api/tokens", params={"cursor": cursor}), 400, "invalid-cursor")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "surprise=1", "limit=1e9", "cursor=" + "x" * 2_000]
)
async def test_bad_queries_are_refused(client_of: ClientOf, query: str) -> None:
    assert_problem(await (await client_of(Role.ADMIN)).get(f"/api/tokens?{query}"), 422, "validation")


async def test_quotas_are_told_and_end_in_429(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, context: object
) -> None:
    admin = await client_of(Role.ADMIN)
    answer = await admin.get("/api/tokens")
    assert answer.headers["ratelimit-policy"] == '"read";q=1200;w=60'
    assert answer.headers["ratelimit"].startswith('"read";r=1199;t=')


async def test_failed_tokens_of_one_address_are_slowed_down(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    # the module's own name: without a real `asyncio.sleep` the tasks in the background would never yield
    monkeypatch.setattr("catalog.tokens.authenticator.asyncio", SimpleNamespace(sleep=sleep))
    client = await client_of(Role.ADMIN)
    for _ in range(authentication.FREE_FAILURES + 3):
        await client.get("/api/tokens", headers={"authorization": "Bearer wrong"})
    assert waits == sorted(waits)
    assert len(waits) == 3
    assert (await client.get("/api/tokens")).status_code == 200
    assert len(waits) == 3


async def test_a_revoked_token_stops_on_every_node(
    client_of: ClientOf, context: ApiContext, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node remembers a token for CACHE_S, less than the five seconds of the contract, on a clock of its own."""
    clock = [100.0]
    monkeypatch.setattr(authentication, "TTLCache", lambda size, ttl: TTLCache(size, ttl, lambda: clock[0]))
    nodes = [create_api(replace(context, authenticator=Authenticator(database)), MAX_UPLOAD_BYTES) for _ in range(2)]
    admin = await client_of(Role.ADMIN)
    created = (await admin.post("/api/tokens", json={"role": "admin"})).json()
    headers = {"authorization": f"Bearer {created['token']}"}

    async def ask() -> list[int]:
        clients = [httpx.AsyncClient(transport=httpx.ASGITransport(node), base_url="http://node") for node in nodes]
        return [(await client.get("/api/tokens", headers=headers)).status_code for client in clients]

    assert await ask() == [200, 200]
    await admin.delete(f"/api/tokens/{created['id']}")
    assert authentication.CACHE_S < 5.0
    clock[0] += 5.0
    assert await ask() == [401, 401]


async def test_failures_are_counted_and_look_the_token_up_however_it_is_wrong(
    client_of: ClientOf, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of an unknown id and one with a wrong secret cost one look-up each, and have one answer."""
    admin = await client_of(Role.ADMIN)
    text = admin.headers["authorization"].removeprefix("Bearer ")
    token = ApiToken.parse(text)
    assert token is not None
    wrong = [str(replace(token, secret="x" * 32)), str(replace(token, id="y" * 12))]
    looked_up: list[str] = []

    async def authenticate(session: AsyncSession, wanted: ApiToken) -> object:
        looked_up.append(wanted.id)
        return await service.authenticate(session, wanted)

    monkeypatch.setattr(authentication, "authenticate", authenticate)
    tested = Authenticator(database)
    for number, guess in enumerate([*wrong, "drk_x", "a.b.c"], 1):
        with pytest.raises(Unauthenticated):
            await tested.authenticate(f"Bearer {guess}", "192.0.2.1")
        assert tested.failed == number
    assert looked_up == [token.id, "y" * 12]


async def test_addresses_are_slowed_down_on_their_own(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("catalog.tokens.authenticator.asyncio", SimpleNamespace(sleep=sleep))
    tested = Authenticator(database)
    for address in ("192.0.2.1", "192.0.2.2"):
        for _ in range(authentication.FREE_FAILURES):
            with pytest.raises(Unauthenticated):
                await tested.authenticate("Bearer wrong", address)
    assert waits == []
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await tested.authenticate("Bearer wrong", "192.0.2.1")
    assert waits[0] < waits[-1] == authentication.SLOWEST_ANSWER_S
