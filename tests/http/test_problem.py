"""Problem documents and the headers that come with them."""

import json

import pytest

from proxy.core.errors import (
    Forbidden,
    InternalError,
    LimitExceeded,
    MethodNotAllowed,
    NotFound,
    RecipeError,
    ServerBusy,
)
from proxy.http.problem import MAX_BYTES, SAFE_HEADERS, header_lines, new_request_id, problem_body, problem_response


def test_a_refusal_is_a_whole_response() -> None:
    response = problem_response(NotFound("There is no such original."), "0123")
    assert response.status == 404
    assert dict(response.headers) == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(response.body)).encode(),
        b"cache-control": b"public, max-age=30",
        **dict(SAFE_HEADERS),
    }
    assert json.loads(response.body)["request"] == "0123"
    assert response.tier == "none"


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (ServerBusy("Busy."), b"retry-after", b"1"),
        (ServerBusy("Busy."), b"cache-control", b"no-store"),
        (InternalError(), b"cache-control", b"no-store"),
        (Forbidden(), b"cache-control", b"public, max-age=60"),
        (MethodNotAllowed("No."), b"allow", b"GET, HEAD, OPTIONS"),
    ],
)
def test_a_refusal_has_the_headers_of_its_kind(error: Forbidden, name: bytes, value: bytes) -> None:
    assert dict(problem_response(error, "x").headers)[name] == value


def test_retry_after_and_allow_are_on_no_other_refusal() -> None:
    headers = dict(problem_response(LimitExceeded("Too many."), "x").headers)
    assert b"retry-after" not in headers
    assert b"allow" not in headers


def test_members_that_do_not_fit_are_left_out() -> None:
    long = RecipeError("w1-" * 500, 900, 3, "d" * 400, "é" * 320)
    document = json.loads(body := problem_body(long, "x"))
    assert len(body) <= MAX_BYTES
    assert "right" not in document
    assert (document["code"], document["request"]) == ("recipe", "x")


def test_request_ids_differ() -> None:
    ids = {new_request_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert {len(request_id) for request_id in ids} == {16}


def test_header_lines_are_what_http_1_1_sends() -> None:
    assert header_lines([(b"a", b"1"), (b"b", b"2")]) == b"a: 1\r\nb: 2\r\n"
