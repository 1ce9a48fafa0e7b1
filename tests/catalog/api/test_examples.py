"""Examples of the OpenAPI document: each fits its schema, and the application answers each as the document tells."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from catalog.api.openapi import operations_of
from catalog.core.roles import Role
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.images.pictures import picture

ID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    """Return a client that may call every route but those of operators."""
    return await client_of(Role.ADMIN)


@pytest.fixture
async def document(admin: httpx.AsyncClient) -> dict[str, Any]:
    """Return the document as it is served."""
    loaded: dict[str, Any] = (await admin.get("/api/openapi.json")).json()
    return loaded


def media_of(message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the media types of a request or an answer."""
    yield from message.get("content", {}).items()


def examples_of(media: dict[str, Any]) -> list[object]:
    """Return all examples of a media type."""
    named = [example["value"] for example in media.get("examples", {}).values()]
    return [*named, *([media["example"]] if "example" in media else [])]


def check(schema: dict[str, Any], document: dict[str, Any], example: object) -> None:
    validator = Draft202012Validator({**schema, "components": document["components"]})
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(example)]
    assert not errors, (example, errors)


async def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations_of(document):
        answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        messages = {"request": operation.get("requestBody", {}), **answers}
        for name, message in messages.items():
            for kind, media in media_of(message):
                if kind.split(";")[0] not in {"application/json", "multipart/form-data"}:
                    continue
                examples = examples_of(media)
                assert examples, f"{method.upper()} {path}: {name} has no example"
                for example in examples:
                    check(media["schema"], document, example)


async def test_schemas_have_examples_that_fit_them(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            check({"$ref": f"#/components/schemas/{name}"}, document, example)


async def test_every_example_of_a_request_is_answered_as_told(
    admin: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    sent, wrong = 0, dict[str, str]()
    allowed = {"prefix": "https://img.example.com/photos", "credentials": {}}
    assert (await admin.post("/api/sources", json=allowed)).status_code == 201
    for method, path, operation in operations_of(document):
        for kind, media in media_of(operation.get("requestBody", {})):
            for example in examples_of(media):
                place = re.sub(r"\{\w+\}", ID, path)
                answer = await admin.request(method, place, **body_of(kind, example, media["schema"]))
                route = f"{method.upper()} {path}"
                # What the example says can be read: at most what it names is not there, or the caller is not the owner.
                unreadable = answer.status_code in {400, 415, 422, 500} and not names_what_is_not_there(answer)
                if str(answer.status_code) not in operation["responses"] or unreadable:
                    wrong[route] = answer.text
                    continue
                check(schema_of(operation, answer, document), document, answer.json() if answer.content else None)
                sent += 1
    assert wrong == {}
    assert sent > 20


def names_what_is_not_there(answer: httpx.Response) -> bool:
    return all(error["code"].startswith("unknown-") for error in answer.json().get("errors", [{"code": ""}]))


def body_of(kind: str, example: object, schema: dict[str, Any]) -> dict[str, Any]:
    """Return how httpx sends an example."""
    if kind != "multipart/form-data":
        content = example if isinstance(example, str) else json.dumps(example)
        return {"content": content.encode(), "headers": {"content-type": kind}}
    assert isinstance(example, dict)
    files, data = [], {}
    for name, value in example.items():
        if is_file(schema["properties"][name]):
            count = len(value) if isinstance(value, list) else 1
            files += [(name, (f"{number}.jpg", picture(number))) for number in range(count)]
        else:
            data[name] = value
    return {"data": data, "files": files}


def is_file(schema: dict[str, Any]) -> bool:
    return (
        "contentMediaType" in schema or is_file(schema["items"]) if "items" in schema else "contentMediaType" in schema
    )


def schema_of(operation: dict[str, Any], answer: httpx.Response, document: dict[str, Any]) -> dict[str, Any]:
    told = operation["responses"][str(answer.status_code)]
    if "$ref" in told:
        told = document["components"]["responses"][told["$ref"].rpartition("/")[2]]
    content = told.get("content", {})
    assert bool(content) == bool(answer.content)
    schema: dict[str, Any] = content[answer.headers["content-type"]]["schema"] if content else {}
    return schema
