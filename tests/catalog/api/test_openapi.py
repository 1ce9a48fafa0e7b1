"""The API's description of itself, and errors of requests that cannot be read."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate
from starlette.types import ASGIApp

from catalog.api.docs_page import render
from catalog.api.openapi import DescribedApi, operations_of
from catalog.core.permissions import PERMISSIONS, PUBLIC
from catalog.core.roles import Role
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem

SEALED = "PUT /api/uploads/{id}/content"
"""The one public route that its URL's seal guards."""


@pytest.fixture
def anonymous(api: ASGIApp) -> httpx.AsyncClient:
    """Return a client without a token."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://darkroom.test")


@pytest.fixture
async def document(anonymous: httpx.AsyncClient) -> dict[str, Any]:
    """Return the document as it is served."""
    answer = await anonymous.get("/api/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    loaded: dict[str, Any] = answer.json()
    return loaded


def application_of(api: ASGIApp) -> DescribedApi:
    """Return the FastAPI application below the middleware."""
    while not isinstance(api, DescribedApi):
        api = api._app  # type: ignore[attr-defined]
    return api


def routes_of(api: ASGIApp) -> set[str]:
    """Return `METHOD /path` of every route of the application."""
    contexts = iter_route_contexts(application_of(api).routes)
    return {f"{method} {route.path}" for route in contexts for method in route.methods or ()}


async def test_the_document_is_valid_and_says_what_each_operation_does(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"] == "3.2.0"
    identifiers = []
    for method, path, operation in operations_of(document):
        assert operation["summary"], (method, path)
        assert len(operation["tags"]) == 1, (method, path)
        identifiers.append(operation["operationId"])
    assert len(identifiers) == len(set(identifiers))


async def test_errors_are_told_by_status_and_never_as_fastapi_would(document: dict[str, Any]) -> None:
    for method, path, operation in operations_of(document):
        errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        problem = f"{'Tus' if path.startswith('/api/tus') else ''}Problem"
        assert all(answer == {"$ref": f"#/components/responses/{problem}{status}"} for status, answer in errors.items())
        assert "500" in errors, (method, path)
        if operation.get("security") != []:
            assert {"401", "403", "404", "422", "429", "503"} <= errors.keys(), (method, path)
        if "requestBody" in operation:
            assert {"400", "408", "409", "413"} <= errors.keys(), (method, path)
    assert "415" in document["paths"]["/api/images/upload"]["post"]["responses"]
    assert "412" in document["paths"]["/api/collections/{id}"]["put"]["responses"]
    assert "412" not in document["paths"]["/api/collections"]["post"]["responses"]
    assert "ValidationError" not in json.dumps(document)
    for answer in document["components"]["responses"].values():
        assert list(answer["content"]) == ["application/problem+json"]


async def test_header_fields_are_told(document: dict[str, Any]) -> None:
    def fields(path: str, method: str, status: str) -> set[str]:
        return set(document["paths"][path][method]["responses"][status]["headers"])

    assert {"RateLimit", "RateLimit-Policy", "X-Request-Id", "ETag"} <= fields("/api/collections/{id}", "get", "200")
    assert {"Location", "ETag", "Idempotency-Replayed"} <= fields("/api/collections", "post", "201")
    assert "Location" not in fields("/api/collections/{id}", "put", "200")
    assert fields("/api/images/{id}", "get", "304") >= {"ETag"}
    assert fields("/api", "get", "200") == {"X-Request-Id"}
    assert "Idempotency-Replayed" not in fields("/api/sign", "post", "200")
    assert {"Tus-Resumable", "Tus-Max-Size"} <= fields("/api/tus", "options", "204")
    assert {"Tus-Resumable", "Upload-Offset", "X-Image-Id"} <= fields("/api/tus/{id}", "patch", "204")
    assert {"ETag", "Content-Disposition"} <= fields("/api/images/serve/{id}", "get", "200")
    assert "ETag" in fields("/api/settings", "get", "200")
    assert {"Tus-Resumable", "Tus-Version"} <= set(document["components"]["responses"]["TusProblem412"]["headers"])
    assert {"Retry-After", "RateLimit"} <= set(document["components"]["responses"]["Problem429"]["headers"])
    assert "WWW-Authenticate" in document["components"]["responses"]["Problem401"]["headers"]


async def test_answers_without_a_body_tell_none(document: dict[str, Any]) -> None:
    for method, path, operation in operations_of(document):
        for status, answer in operation["responses"].items():
            if status in {"204", "304"} or (method == "head" and int(status) < 400):
                assert "content" not in answer, (method, path, status)


async def test_real_errors_match_their_schema(client_of: ClientOf, document: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    editor = await client_of(Role.EDITOR)
    answers = [
        await editor.get("/api/nothing"),
        await editor.get("/api/tokens"),
        await editor.post("/api/collections", json={"name": 5}),
        await editor.patch("/api/collections"),
    ]
    for answer, status in zip(answers, (404, 403, 422, 405), strict=True):
        assert answer.status_code == status
        Draft202012Validator(schema).validate(answer.json())


async def test_the_bearer_scheme_holds_for_all_but_the_public_routes(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for method, path, operation in operations_of(document):
        route = f"{method.upper()} {path}"
        assert (operation.get("security") == []) == (route in PUBLIC), route
        assert ("x-role" in operation) == (route in PERMISSIONS), route


async def test_the_list_of_routes_is_complete_and_public(anonymous: httpx.AsyncClient, api: ASGIApp) -> None:
    answer = await anonymous.get("/api")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    rows = {f"{row['method']} {row['path']}": row for row in answer.json()["routes"]}
    assert rows.keys() == routes_of(api)
    assert all(row["summary"] for row in rows.values())
    assert rows["GET /api"]["role"] is None
    assert rows["POST /api/tokens"] == {
        "method": "POST",
        "path": "/api/tokens",
        "summary": "Create a token",
        "role": "admin",
    }


def test_every_route_has_a_permission_or_is_public(api: ASGIApp) -> None:
    routes = routes_of(api)
    assert {"GET /api", "POST /api/tokens", "DELETE /api/collections/{id}"} <= routes
    assert routes - PERMISSIONS.keys() - PUBLIC == set()
    assert PERMISSIONS.keys() & PUBLIC == set()


async def test_only_public_routes_answer_without_a_token(api: ASGIApp) -> None:
    for number, route in enumerate(sorted(routes_of(api))):
        method, path = route.split(" ")
        # addresses of their own: refusals to one address become slow
        transport = httpx.ASGITransport(api, client=(f"198.51.100.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://darkroom.test") as anonymous:
            target = re.sub(r"\{\w+\}", "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", path)
            answer = await anonymous.request(method, target)
        if route == SEALED:
            assert_problem(answer, 403, "not-permitted")
        elif route in PUBLIC:
            assert answer.status_code == 200, route
        elif method == "HEAD":
            assert answer.status_code == 401, route
        else:
            assert_problem(answer, 401, "unauthenticated")


async def test_the_page_is_self_contained(anonymous: httpx.AsyncClient, document: dict[str, Any]) -> None:
    answer = await anonymous.get("/api/docs")
    page, policy = answer.text, answer.headers["content-security-policy"]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"<(script|img|link|iframe|object|embed|form|base)\b|\sstyle=|\son\w+=|url\(|@import", page)
    assert {match.rstrip('"') for match in re.findall(r'(?:href|src)="([^"]*)"', page)} == {
        "/api/openapi.json",
        *(f"#{tag}" for tag in {operation["tags"][0] for _, _, operation in operations_of(document)}),
    }
    for method, path, operation in operations_of(document):
        assert f"<b>{method.upper()}</b> <code>{path}</code>" in page
        assert operation["summary"].replace("'", "&#x27;") in page


def test_the_page_escapes_what_the_document_contains() -> None:
    evil = '<script>alert("x")</script>'
    operation = {
        "tags": [evil],
        "summary": evil,
        "description": evil,
        "parameters": [{"name": evil, "in": "query", "description": evil}],
        "responses": {"200": {"description": evil, "content": {"application/json": {"example": evil}}}},
    }
    page = render({"info": {"title": evil, "summary": evil}, "paths": {evil: {"get": operation}}})
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "json"]
)
@pytest.mark.parametrize("content", [b'{"name": "Summer"}', b"name=Summer", b"\x00\xff", b""])
async def test_a_body_that_is_not_declared_as_json_is_400(
    client_of: ClientOf, content_type: str | None, content: bytes
) -> None:
    editor = await client_of(Role.EDITOR)
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await editor.post("/api/collections", content=content, headers=headers)
    assert_problem(answer, 400, "invalid-request")
    assert "Content-Type: application/json" in answer.json()["detail"]
    assert (await editor.get("/api/collections")).json()["items"] == []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"])
async def test_a_body_that_is_declared_as_json_is_read(client_of: ClientOf, content_type: str) -> None:
    editor, headers = await client_of(Role.EDITOR), {"content-type": content_type}
    answer = await editor.post("/api/collections", content=b'{"name": "Summer"}', headers=headers)
    assert answer.status_code == 201
    assert_problem(await editor.post("/api/collections", headers=headers), 422, "validation")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/collections", "GET, POST"),
        ("PATCH", "/api/collections/1", "DELETE, GET, PUT"),
        ("PUT", "/api/tokens/1", "DELETE, GET"),
        ("POST", "/api/audit", "GET"),
        ("DELETE", "/api", "GET"),
        ("POST", "/api/openapi.json", "GET"),
    ],
)
async def test_405_lists_all_methods_of_the_path(client_of: ClientOf, method: str, path: str, allowed: str) -> None:
    answer = await (await client_of(Role.ADMIN)).request(method, path)
    assert_problem(answer, 405, "method")
    assert answer.headers["allow"] == allowed
    assert allowed in answer.json()["detail"]
