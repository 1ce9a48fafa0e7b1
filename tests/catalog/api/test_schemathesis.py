"""Generated requests to every operation: nothing is answered with 5xx, or as the OpenAPI document does not tell.

Schemathesis makes the requests, half of them as the document allows, half of them not, always the same ones. Many name
what exists, which is made anew for each operation. Each operation has a few here; with DARKROOM_TEST_FULL there are
5,000 in all:

    DARKROOM_TEST_FULL=1 pytest tests/catalog/api/test_schemathesis.py
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from math import ceil
from typing import Any, TypeAlias, TypeVar

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation

from catalog.api.context import ApiContext
from catalog.api.openapi import operations_of
from catalog.api.rate_limits import Quota, RateLimiter, RequestClass
from catalog.core.roles import Principal, Role
from catalog.management import create_api
from catalog.records.database import Database
from catalog.tokens.service import create_token
from tests.catalog.api.fixtures import MAX_UPLOAD_BYTES
from tests.catalog.api.things import Names, Things, kind_of
from tests.catalog.samples import ACME, ORIGIN

FULL = bool(os.environ.get("DARKROOM_TEST_FULL"))
CASES = 5_000 if FULL else 300
SEED = 20_261_124
DEADLINE_S = 20.0
UNTOLD = frozenset(
    {"content-type", "content-length", "cache-control", "content-security-policy", "referrer-policy"}
    | {"x-content-type-options", "x-accel-buffering", "vary"}
)
"""Header fields that no operation tells: those of every answer, and one for proxies."""
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]
T = TypeVar("T")


class Target:
    """The application, called from another thread than its own, as an admin of a tenant that has one of each thing.

    Its routes of tenants are called as an operator.
    """

    def __init__(self, admin: httpx.AsyncClient, operator: httpx.AsyncClient, things: Things) -> None:
        self.admin = admin
        self.operator = operator
        self.things = things
        self.document: dict[str, Any] = {}
        self.names: Names = {}
        self.loop = asyncio.get_running_loop()
        self.sent = 0

    def renew(self, operation: Operation) -> None:
        """Make what an operation names."""
        self.names = self._await(self.things.make(operation.path))

    def send(self, case: Case, *, existing: int | None) -> Response:
        """Send a generated request; `existing` has it name the n-th thing of those that exist."""
        if existing is not None:
            self._name_existing(case, existing)
        prepared = requests.Request(**_known(case.as_transport_kwargs(base_url="http://darkroom.test"))).prepare()
        client = self.operator if kind_of(case.operation.path) == "tenants" else self.admin
        answer = self._await(_send(client, prepared))
        self.sent += 1
        return Response.from_any(answer)

    def _name_existing(self, case: Case, number: int) -> None:
        def known(name: str, value: Any) -> Any:  # noqa: ANN401 - a value of any parameter
            names = self.names.get(name)
            return names[number % len(names)] if names else value

        case.path_parameters = {name: known(name, value) for name, value in (case.path_parameters or {}).items()}
        if case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE:
            return  # what is wrong with it stays
        for fields in (case.query or {}, case.headers or {}):
            changed = {name: known(name.lower(), value) for name, value in fields.items()}
            fields.clear()
            fields.update({name: value for name, value in changed.items() if value is not None})
        if isinstance(case.body, dict):
            case.body = {name: known(f"/{name}", value) for name, value in case.body.items()}
        elif "/" in self.names:
            case.body = known("/", case.body)

    def _await(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self.loop).result(DEADLINE_S)


async def _send(client: httpx.AsyncClient, prepared: requests.PreparedRequest) -> httpx.Response:
    body: Any = prepared.body
    content = body.encode() if isinstance(body, str) else body
    fields = [
        (name.encode("latin-1"), _raw(value))
        for name, value in prepared.headers.items()
        if name.lower() not in {"authorization", "cookie", "content-length"}
    ]
    request = client.build_request(prepared.method or "", prepared.url or "", headers=fields, content=content)
    return await client.send(request)


def _known(arguments: dict[str, Any]) -> dict[str, Any]:
    names = ("method", "url", "headers", "files", "data", "params", "json")
    return {name: value for name, value in arguments.items() if name in names}


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


@pytest.fixture
async def target(context: ApiContext, database: Database) -> AsyncIterator[Target]:
    """Return the application without limits of requests."""
    unlimited = RateLimiter({request_class: Quota(10**9, 10**9) for request_class in RequestClass})
    api = create_api(replace(context, rate_limiter=unlimited), MAX_UPLOAD_BYTES)
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with AsyncExitStack() as stack:
        clients = []
        for role in (Role.ADMIN, Role.OPERATOR):
            async with database.writing() as session:
                token = await create_token(session, Principal("cli:tests", ACME, Role.OPERATOR), ORIGIN, role=role)
            headers = {"authorization": f"Bearer {token.text}"}
            client = httpx.AsyncClient(transport=transport, base_url="http://darkroom.test", headers=headers)
            clients.append(await stack.enter_async_context(client))
        admin, operator = clients
        made = Target(admin, operator, Things(admin, operator, database))
        made.document = (await admin.get("/api/openapi.json")).json()
        yield made


@pytest.mark.parametrize("settings", ["sqlite", "postgresql"] if FULL else ["sqlite"], indirect=True)
@pytest.mark.timeout(1_800)
async def test_no_answer_is_5xx_or_untold(target: Target) -> None:
    faults = await asyncio.to_thread(lambda: list(_faults(target)))
    assert not faults, "\n\n".join(faults)
    assert target.sent >= CASES, target.sent


def _faults(target: Target) -> Iterator[str]:
    """Send all requests and yield what is wrong, once for each operation and kind of fault."""
    schema = schemathesis.openapi.from_dict(target.document)
    operations: list[Operation] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == len(list(operations_of(target.document)))
    operations.sort(key=lambda operation: (operation.body.items != [], len(list(operation.iter_parameters()))))
    turns = [
        (operation, mode) for operation in operations for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    for number, (operation, mode) in enumerate(turns):
        # An operation without parameters has few requests; those after it get what it leaves.
        count = ceil((CASES - target.sent) / (len(turns) - number))
        seen: dict[tuple[str, int], str] = {}
        if mode is GenerationMode.POSITIVE:
            target.renew(operation)
        with suppress(Unsatisfiable):  # nothing is wrong for an operation without parameters
            _send_many(target, operation, mode, count, seen)
        yield from seen.values()


def _send_many(
    target: Target, operation: Operation, mode: GenerationMode, count: int, seen: dict[tuple[str, int], str]
) -> None:
    checks: Any = [CHECKS.get_one(name) for name in CHECKED]

    @seed(SEED)
    @examples(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode), existing=st.sampled_from((0, 1, 2, None)))
    def send(case: Case, existing: int | None) -> None:
        answer = target.send(case, existing=existing)
        faults = [f"untold header field {name}" for name in _untold(target.document, operation, answer)]
        try:
            case.validate_response(answer, checks=checks)
        except FailureGroup as group:
            faults += [f"{type(fault).__name__}: {fault}" for fault in group.exceptions]
        except Failure as failure:
            faults.append(f"{type(failure).__name__}: {failure}")
        for fault in faults:
            request = f"{case.method} {answer.request.url} {answer.request.headers} {answer.request.body!r:.300}"
            kind = fault.partition(":")[0]
            seen.setdefault(
                (kind, answer.status_code), f"{request}\n  {answer.status_code}: {fault}\n  {answer.content[:300]!r}"
            )

    send()


def _untold(document: dict[str, Any], operation: Operation, answer: Response) -> set[str]:
    """Return the names of the header fields that the document does not tell for an answer."""
    responses = document["paths"][operation.path][operation.method.lower()]["responses"]
    told = responses.get(str(answer.status_code), {})
    if "$ref" in told:
        told = document["components"]["responses"][told["$ref"].rpartition("/")[2]]
    return set(answer.headers) - UNTOLD - {name.lower() for name in told.get("headers", {})}
