"""Every error has a status, a unique code, and a body of at most 1 KiB."""

import json

import pytest

from proxy.core import errors
from proxy.core.errors import DarkroomError, RecipeError
from proxy.core.recipe.grammar import parse
from proxy.http.problem import MAX_BYTES, problem_body, problem_response


def every(kind: type[DarkroomError]) -> list[type[DarkroomError]]:
    return [descendant for child in kind.__subclasses__() for descendant in (child, *every(child))]


def test_codes_are_unique_and_the_module_draws_the_whole_tree() -> None:
    kinds = [kind for kind in every(DarkroomError) if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert f" {kind.__name__} {kind.status}" in (errors.__doc__ or "")


def test_a_problem_document_tells_what_rfc_9457_asks() -> None:
    document = json.loads(problem_body(errors.LimitExceeded("The original has 9 pixels; the limit is 8."), "abc"))
    assert document == {
        "type": "urn:darkroom:error:over-limit",
        "title": "Over a limit",
        "status": 422,
        "code": "over-limit",
        "detail": "The original has 9 pixels; the limit is 8.",
        "request": "abc",
    }


@pytest.mark.parametrize(
    "text", ["w" * 1000, "-".join(["crop0.1111_0.1111_0.1111_0.1111"] * 30), "x" * 1024, "webp-" + "w1-" * 300]
)
def test_a_problem_document_stays_within_a_kibibyte(text: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text)
    body = problem_body(refused.value, "0123456789abcdef")
    assert len(body) <= MAX_BYTES
    assert json.loads(body)["status"] == 400


def test_a_method_refusal_tells_the_methods() -> None:
    headers = problem_response(errors.MethodNotAllowed("No."), "x").headers
    assert dict(headers)[b"allow"] == b"GET, HEAD, OPTIONS"


def test_only_what_may_pass_soon_says_when_to_come_back() -> None:
    assert dict(problem_response(errors.ServerBusy("x"), "x").headers)[b"retry-after"] == b"1"
    assert dict(problem_response(errors.ServerBusy("x"), "x").headers)[b"cache-control"] == b"no-store"
    assert b"retry-after" not in dict(problem_response(errors.Forbidden(), "x").headers)
