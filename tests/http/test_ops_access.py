"""Who may read readiness and metrics: loopback clients, clients with the token, clients of the operations port."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from proxy.http.ops_access import OpsAccess


async def _secret(_: Request) -> Response:
    return PlainTextResponse("metrics")


async def _refused(_: Request) -> Response:
    return PlainTextResponse("nothing here", 404)


async def status(access: OpsAccess, client: str | None, **fields: str) -> int:
    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()]
    address = None if client is None else (client, 40_000)
    request = Request({"type": "http", "headers": headers, "client": address})
    return (await access.guard(_secret, _refused)(request)).status_code


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.1", 404),
        ("::ffff:10.0.0.1", 404),
        ("203.0.113.7", 404),
        ("localhost", 404),
        (None, 404),
    ],
)
async def test_the_public_port_answers_loopback_clients(client: str | None, expected: int) -> None:
    assert await status(OpsAccess("", public=True), client) == expected


@pytest.mark.parametrize("field", ["forwarded", "x_forwarded_for", "via"])
async def test_a_proxy_on_this_machine_is_not_a_loopback_client(field: str) -> None:
    assert await status(OpsAccess("", public=True), "127.0.0.1", **{field: "203.0.113.7"}) == 404


async def test_a_port_of_its_own_answers_everybody_who_reaches_it() -> None:
    assert await status(OpsAccess("", public=False), "203.0.113.7") == 200


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("client", ["127.0.0.1", "203.0.113.7"])
@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer a token", 200),
        ("Bearer a toke", 401),
        ("Bearer a tokens", 401),
        ("bearer a token", 401),
        ("a token", 401),
        ("Bearer é", 401),
        ("", 401),
    ],
)
async def test_a_token_is_needed_everywhere(public: bool, client: str, authorization: str, expected: int) -> None:
    assert await status(OpsAccess("a token", public=public), client, authorization=authorization) == expected


async def test_without_the_token_the_scheme_is_named() -> None:
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
    response = await OpsAccess("a token", public=True).guard(_secret, _refused)(request)
    assert response.headers["www-authenticate"] == "Bearer"
