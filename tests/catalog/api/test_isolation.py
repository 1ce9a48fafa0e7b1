"""Tenants do not see each other: every route is asked for another tenant's things, on both databases.

On PostgreSQL the application's role is restricted by row-level security, on SQLite the tenant in every query is alone.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from catalog.api.context import ApiContext, Caller
from catalog.api.openapi import DescribedApi
from catalog.api.query_strings import QueryShape
from catalog.core.permissions import PERMISSIONS, PUBLIC
from catalog.core.roles import Permission, Principal, Role, Scope
from catalog.management import _Envelope, create_api, create_application
from catalog.records.database import Database
from catalog.records.row_security import tenant_column
from catalog.records.tables import Record
from catalog.records.tenant_scope import EVERY_TENANT, current_scope, enter_tenant, no_tenant
from proxy.core.identifiers import TenantName
from tests.catalog.api.fixtures import MAX_UPLOAD_BYTES, ClientOf
from tests.catalog.api.test_openapi import application_of, routes_of
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.api.walk import WALK, Ask, Things, furnish
from tests.catalog.samples import ACME, ZOO

HOUSE = {route for route, permission in PERMISSIONS.items() if permission.role is Role.OPERATOR}
PLAIN = {route for route in PUBLIC if "{" not in route}
"""Routes without a principal and without parameters: their answers are the same for everybody."""
NOT_AN_ID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
Rows = Mapping[str, list[tuple[Any, ...]]]


@pytest.fixture
async def acme(client_of: ClientOf, database: Database) -> Things:
    """Return what the tenant acme has."""
    return await furnish(await client_of(Role.ADMIN, ACME), database)


@pytest.fixture
async def zoo(client_of: ClientOf) -> httpx.AsyncClient:
    """Return a client with an admin's token of the tenant zoo."""
    return await client_of(Role.ADMIN, ZOO)


async def rows_of_acme(database: Database) -> Rows:
    """Return every row of acme, of all tables."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    async with database.reading() as session:
        for table in Record.metadata.sorted_tables:
            if (column := tenant_column(table)) is not None:
                query = select(table).where(table.columns[column] == ACME).order_by(*table.primary_key.columns)
                rows[table.name] = [tuple(row) for row in await session.execute(query)]
    return rows


async def ask(client: httpx.AsyncClient, route: str, question: Ask) -> httpx.Response:
    """Send a request."""
    method, path = route.split(" ")
    return await client.request(
        method,
        path.format_map(dict(question.ids)),
        params=dict(question.query),
        json=question.json,
        data=dict(question.form) or None,
        files=list(question.files) or None,
        headers=dict(question.headers),
    )


def said_in(question: Ask) -> str:
    """Return what a question says: nothing of it is a secret to who asks."""
    digests = [sha256(body).hexdigest() for _, (_, body) in question.files]
    return json.dumps([dict(question.ids), dict(question.query), question.json, dict(question.form), digests])


def leaks(answer: httpx.Response, marks: frozenset[str], said: str) -> set[str]:
    """Return what an answer tells of acme that has not been said before."""
    text = f"{answer.headers} {answer.content.decode(errors='replace')}"
    return {mark for mark in marks if mark in text and mark not in said}


def test_every_route_has_a_row_in_the_walk(api: ASGIApp) -> None:
    """A new route needs one: see `tests/catalog/api/walk.py`."""
    assert routes_of(api) - HOUSE - PLAIN - WALK.keys() == set()
    assert WALK.keys() - routes_of(api) == set(), "the row of a route that is gone"


async def test_no_route_tells_or_changes_anything_of_another_tenant(
    api: ASGIApp, acme: Things, zoo: httpx.AsyncClient, database: Database
) -> None:
    before = await rows_of_acme(database)
    assert all(before[table] for table in ("tenant", "image", "image_tag", "collection", "entity", "job", "api_token"))
    said = ""
    for route in sorted(routes_of(api) - PLAIN):
        refusal = Ask(dict.fromkeys(re.findall(r"\{(\w+)\}", route), "acme"), answers=(403,))
        for question in [refusal] if route in HOUSE else WALK[route](acme):
            # who is not an operator cannot name another tenant
            named = replace(question, query={**question.query, "tenant": "acme"})
            for asked, answers in ((question, question.answers), (named, (*question.answers, 200, 400, 409, 422))):
                answer = await ask(zoo, route, asked)
                assert answer.status_code in answers, (route, asked, answer.text)
                said += said_in(asked)
                assert leaks(answer, acme.marks, said) == set(), (route, asked, answer.text)
        assert await rows_of_acme(database) == before, route


async def test_the_walk_would_notice(acme: Things, client_of: ClientOf) -> None:
    """The same questions, asked by acme itself, are answered with what they are about."""
    admin = await client_of(Role.ADMIN, ACME)
    for route in ("GET /api/images", "GET /api/images/{id}", "GET /api/collections/{id}", "GET /api/jobs/{id}"):
        question = WALK[route](acme)[0]
        answer = await ask(admin, route, question)
        assert answer.status_code == 200, route
        assert leaks(answer, acme.marks, said_in(question)), route


# Who may call a route at all.


class Believing:
    """An authenticator that believes what the request says: `Bearer {role}.{scope}`."""

    async def authenticate(self, authorization: str | None, address: str) -> Principal:
        role, _, scope = str(authorization).removeprefix("Bearer ").partition(".")
        scopes = frozenset({Scope(scope)}) if scope else frozenset[Scope]()
        return Principal("token:tests", ZOO, Role.parse(role), scopes)


@pytest.fixture
async def believing(context: ApiContext) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application that believes it."""
    api = create_api(replace(context, authenticator=Believing()), MAX_UPLOAD_BYTES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://darkroom.test") as client:
        yield client


def refused(permission: Permission) -> list[str]:
    """Return callers whose role or scope is just too little."""
    callers = [f"admin.{scope.value}" for scope in Scope if scope is not permission.scope]
    return callers if permission.role is Role.VIEWER else [Role(permission.role - 1).label, *callers]


async def test_every_route_refuses_a_lesser_role_and_another_scope(believing: httpx.AsyncClient, api: ASGIApp) -> None:
    for route in sorted(routes_of(api) - PUBLIC):
        method, path = route.split(" ")
        for caller in refused(PERMISSIONS[route]):
            answer = await believing.request(
                method, re.sub(r"\{\w+\}", NOT_AN_ID, path), headers={"authorization": f"Bearer {caller}"}
            )
            assert answer.status_code == 403, (route, caller)
            if method != "HEAD":
                assert_problem(answer, 403, "not-permitted")


# The scope of a request: its own task's, and nobody else's.


@pytest.fixture
def application() -> DescribedApi:
    """Return routes of their own, since tests add some."""
    return create_application()


@pytest.fixture
def probed(api: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> tuple[ASGIApp, list[str]]:
    """Return the application with routes that tell the scope, and a list of what background tasks saw."""
    seen: list[str] = []
    app = application_of(api)

    async def tell(_: Caller, background: BackgroundTasks, tenant: str | None = None) -> str:
        before = current_scope()
        await asyncio.sleep(0)
        background.add_task(lambda: seen.append(current_scope()))
        assert current_scope() == before
        return before

    async def stream(_: Caller) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            await asyncio.sleep(0)
            yield current_scope()

        return StreamingResponse(parts())

    async def tell_all() -> str:
        return current_scope()

    monkeypatch.setitem(PERMISSIONS, "GET /api/scope", Permission(Role.VIEWER, Scope.READ))
    monkeypatch.setitem(PERMISSIONS, "GET /api/scope/stream", Permission(Role.VIEWER, Scope.READ))
    monkeypatch.setitem(PERMISSIONS, "GET /api/scope/house", Permission(Role.OPERATOR, Scope.ADMIN))
    monkeypatch.setattr("catalog.api.authorization.PUBLIC", PUBLIC | {"GET /api/scope/public"})
    app.add_api_route("/api/scope", tell)
    app.add_api_route("/api/scope/stream", stream)
    app.add_api_route("/api/scope/house", tell)
    app.add_api_route("/api/scope/public", tell_all)
    shape = QueryShape(frozenset({"tenant"}), frozenset())
    monkeypatch.setattr("catalog.api.authorization.Routes.query_of", lambda *_: shape)
    return api, seen


async def test_a_request_has_the_scope_of_its_tenant_and_leaves_none(
    probed: tuple[ASGIApp, list[str]], client_of: ClientOf
) -> None:
    _, seen = probed
    clients = {tenant: await client_of(Role.OPERATOR, tenant) for tenant in (ACME, ZOO)}
    with no_tenant():
        turns = [tenant for _ in range(10) for tenant in clients]
        answers = await asyncio.gather(*(clients[tenant].get("/api/scope") for tenant in turns))
        assert [answer.json() for answer in answers] == turns
        assert sorted(seen) == sorted(turns)
        assert (await clients[ACME].get("/api/scope/stream")).text == "acme"
        assert (await clients[ACME].get("/api/scope", params={"tenant": "zoo"})).json() == "zoo"
        assert (await clients[ACME].get("/api/scope/house")).json() == EVERY_TENANT
        assert (await clients[ACME].get("/api/scope/public")).json() == ""
        assert current_scope() == ""


async def test_a_request_begins_without_the_scope_of_the_one_before_it() -> None:
    """Uvicorn starts the task of a pipelined request in the context of the request before it."""
    seen = []

    async def application(scope: AsgiScope, receive: Receive, send: Send) -> None:
        seen.append(current_scope())
        enter_tenant(ACME)

    async def nothing(*_: object) -> Any:  # noqa: ANN401
        return {}

    enter_tenant(TenantName("before"))
    for _ in range(2):
        await _Envelope(application)({"type": "http"}, nothing, nothing)
    assert seen == ["", ""]
    assert current_scope() == "before"
