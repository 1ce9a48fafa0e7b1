"""CORS: pages of the origins that a tenant allows may call the API, and no others."""

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.api.context import ApiContext
from catalog.api.cross_origin import ALLOWED_HEADERS, EXPOSED_HEADERS, CrossOrigin
from catalog.core.roles import Role
from catalog.records.database import Database
from catalog.settings import origins
from catalog.settings.origins import OriginCache
from proxy.core.identifiers import TenantName
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO

SHOP, BACK, EVIL = "https://shop.example.com", "https://back.example.com", "https://evil.example.com"
FIELDS = {"access-control-allow-origin", "access-control-expose-headers"}


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """Return the header fields of CORS."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def preflight(client: httpx.AsyncClient, origin: str, path: str = "/api/presets") -> httpx.Response:
    """Ask as a browser does, without a token."""
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
        "authorization": "",
    }
    return await client.options(path, headers=headers)


@pytest.fixture
async def acme(client_of: ClientOf) -> httpx.AsyncClient:
    """Return an administrator of acme, which allows SHOP; zoo allows BACK."""
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    assert (await acme.put("/api/settings", json={"cors_origins": [SHOP]})).status_code == 200
    assert (await zoo.put("/api/settings", json={"cors_origins": [BACK]})).status_code == 200
    return acme


async def test_it_is_off_unless_a_tenant_allows_an_origin(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for origin in (SHOP, "null", "*", "", "x" * 5_000):
        assert_problem(await preflight(admin, origin), 405, "method")
        answer = await admin.get("/api/presets", headers={"origin": origin})
        assert (answer.status_code, headers_of(answer), answer.headers["vary"]) == (200, {}, "Origin")


async def test_a_preflight_is_answered_where_any_tenant_allows_the_origin(acme: httpx.AsyncClient) -> None:
    for origin in (SHOP, BACK):
        answer = await preflight(acme, origin)
        assert (answer.status_code, answer.content) == (204, b"")
        fields = headers_of(answer)
        assert fields["access-control-allow-origin"] == origin
        assert {"authorization", "idempotency-key", "if-match", "tus-resumable", "upload-offset"} <= {
            name.strip().lower() for name in fields["access-control-allow-headers"].split(",")
        }
        assert {"PATCH", "HEAD", "DELETE"} <= set(fields["access-control-allow-methods"].split(", "))
        assert int(fields["access-control-max-age"]) > 0
        assert "access-control-allow-credentials" not in fields
        assert answer.headers["vary"].startswith("Origin, ")
    for origin in (EVIL, f"{SHOP}.evil.example", SHOP.upper(), "http://shop.example.com", f"{SHOP}:8443", "null"):
        answer = await preflight(acme, origin)
        assert_problem(answer, 405, "method")
        assert headers_of(answer) == {}


async def test_an_answer_is_readable_for_the_origins_of_the_callers_own_tenant(
    acme: httpx.AsyncClient, client_of: ClientOf
) -> None:
    zoo, operator = await client_of(Role.ADMIN, ZOO), await client_of(Role.OPERATOR)
    for client, origin, readable in ((acme, SHOP, True), (acme, BACK, False), (zoo, BACK, True), (zoo, SHOP, False)):
        answer = await client.get("/api/presets/card", headers={"origin": origin})
        fields = headers_of(answer)
        assert (answer.status_code, answer.headers["vary"]) == (200, "Origin")
        assert fields.keys() == (FIELDS if readable else set())
        assert not readable or fields["access-control-allow-origin"] == origin
    exposed = {name.strip() for name in EXPOSED_HEADERS.split(",")}
    assert {"ETag", "Location", "X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed
    assert {"Upload-Offset", "Tus-Resumable", "Upload-Expires", "X-Image-Id"} <= exposed
    elsewhere = await operator.get("/api/presets?tenant=zoo", headers={"origin": BACK})
    assert headers_of(elsewhere) == {}


async def test_errors_are_readable_too(acme: httpx.AsyncClient) -> None:
    shop = {"origin": SHOP}
    for answer in (
        await acme.get("/api/presets/none", headers=shop),
        await acme.get("/api/nowhere", headers=shop),
        await acme.get("/api/presets", headers={**shop, "authorization": ""}),
        await acme.post("/api/presets", content=b"x" * (2**20 + 1), headers=shop),
        await acme.put("/api/settings", json={"x": 1}, headers=shop),
    ):
        assert answer.status_code >= 400
        assert headers_of(answer).keys() == FIELDS
        assert answer.headers["x-request-id"]


async def test_a_request_of_another_origin_is_answered_all_the_same(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/api/presets", json={"name": "hero", "recipe": "w1"}, headers={"origin": EVIL})
    assert (answer.status_code, headers_of(answer)) == (201, {})


async def test_origins_are_read_again_after_their_lifetime(acme: httpx.AsyncClient, database: Database) -> None:
    now = 0.0
    cache = OriginCache(database, 5.0, clock=lambda: now)
    assert await cache.is_allowed(SHOP, ACME)
    await acme.put("/api/settings", json={"cors_origins": [EVIL]})
    now = 4.9
    assert await cache.is_allowed(SHOP, ACME)
    now = 5.0
    assert not await cache.is_allowed(SHOP, ACME)
    assert await cache.is_allowed(EVIL, None)
    assert not await cache.is_allowed(EVIL, ZOO)
    assert not await cache.is_allowed(EVIL, TenantName("nobody"))


async def test_without_the_database_what_was_read_is_used(
    acme: httpx.AsyncClient, context: ApiContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reads = 0.0, 0
    known, fresh = (OriginCache(context.database, 5.0, clock=lambda: now) for _ in range(2))
    assert await known.is_allowed(SHOP, ACME)

    async def fail(*_: object) -> None:
        nonlocal reads
        reads += 1
        raise TimeoutError

    monkeypatch.setattr(origins, "list_origins", fail)
    now = 10.0
    for _ in range(3):
        assert await known.is_allowed(SHOP, ACME)
        assert not await fresh.is_allowed(SHOP, ACME)
    assert reads == 2
    monkeypatch.undo()
    now = 11.0
    assert await fresh.is_allowed(SHOP, ACME)


async def test_tenants_with_origins_are_bounded(
    acme: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "MAX_TENANTS", 1)
    cache = OriginCache(database, 5.0)
    assert [await cache.is_allowed(origin, None) for origin in (SHOP, BACK)] == [True, False]


async def test_other_kinds_of_connections_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    class Nobody:
        async def is_allowed(self, origin: str, tenant: TenantName | None) -> bool:
            raise AssertionError

    wrapped: ASGIApp = CrossOrigin(app, Nobody())

    async def never() -> dict[str, object]:
        raise AssertionError

    async def ignore(_: object) -> None:
        raise AssertionError

    await wrapped({"type": "lifespan"}, never, ignore)
    assert seen == ["lifespan"]
    assert "*" not in ALLOWED_HEADERS + EXPOSED_HEADERS
