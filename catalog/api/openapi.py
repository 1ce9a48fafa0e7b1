"""The OpenAPI document of the application: what FastAPI writes, completed by what all operations share.

    errors      one `default` response, `application/problem+json` (RFC 9457), in place of FastAPI's own 422
    security    one bearer scheme; operations of PUBLIC need no token
    roles       `x-role` and `x-scope` of each operation, from the one table of permissions
    examples    of each JSON request and answer, put together from the examples of the models

The version is 3.2, because server-sent events are described by `itemSchema`, which 3.1 does not have.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from fastapi import FastAPI

from catalog.api.problems import MEDIA_TYPE as PROBLEM
from catalog.api.schema_examples import example_of
from catalog.core.permissions import PERMISSIONS, PUBLIC
from catalog.records.identity import IDEMPOTENCY_KEY_LENGTH

VERSION: Final = "3.2.0"
ERRORS: Final[dict[int | str, dict[str, Any]]] = {"default": {"description": "An error."}}
"""Declared for the whole application, which keeps FastAPI from describing errors of its own."""

_JSON = "application/json"
_CHANGES = frozenset({"post", "put", "patch", "delete"})
_TEXT: Final = {"type": "string"}
_FIELD_ERROR: Final = {
    "type": "object",
    "required": ["at", "code", "detail"],
    "properties": {
        "at": {**_TEXT, "description": "JSON pointer into the body (RFC 6901), or `?name` for a query parameter."},
        "code": _TEXT,
        "detail": _TEXT,
    },
}
_PROBLEM: Final = {
    "type": "object",
    "description": "An error (RFC 9457). Some codes have further members.",
    "required": ["type", "title", "status", "code", "detail", "request"],
    "properties": {
        "type": {**_TEXT, "description": "`urn:darkroom:error:` and the code."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "detail": {**_TEXT, "description": "What is wrong, then what to do."},
        "request": {**_TEXT, "description": "The request's id in the logs."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
    },
    "examples": [
        {
            "type": "urn:darkroom:error:not-found",
            "title": "Not found",
            "status": 404,
            "code": "not-found",
            "detail": "There is no such collection.",
            "request": "0123456789abcdef",
        }
    ],
}
_COMPONENTS: Final[dict[str, dict[str, Any]]] = {
    "schemas": {"Problem": _PROBLEM, "FieldError": _FIELD_ERROR},
    "responses": {
        "Problem": {
            "description": "An error.",
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    },
    "parameters": {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The change is done once per key within 24 hours; repeating the request repeats its answer.",
            "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH},
        }
    },
    "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API token or a JWT."}},
}


class DescribedApi(FastAPI):
    """A FastAPI application that describes itself; its routes are complete before the first request."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return self.document

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return completed(super().openapi())

    @cached_property
    def document_bytes(self) -> bytes:
        """The OpenAPI document as JSON in UTF-8."""
        return json.dumps(self.document, ensure_ascii=False).encode()


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Complete FastAPI's document in place and return it."""
    components = document.setdefault("components", {})
    for kind, members in _COMPONENTS.items():
        components.setdefault(kind, {}).update(members)
    document["security"] = [{"bearer": []}]
    for method, path, operation in operations_of(document):
        _complete_operation(operation, f"{method.upper()} {path}", components["schemas"])
    return document


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation of everything that a document describes."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def _complete_operation(operation: dict[str, Any], route: str, schemas: Mapping[str, Any]) -> None:
    operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    if route in PUBLIC:
        operation["security"] = []
    elif (permission := PERMISSIONS.get(route)) is not None:
        operation["x-role"], operation["x-scope"] = permission.role.label, permission.scope.value
        if route.split(" ", maxsplit=1)[0].lower() in _CHANGES:
            operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
    for message in (operation.get("requestBody", {}), *operation["responses"].values()):
        media = message.get("content", {}).get(_JSON)
        if media is not None and "examples" not in media:
            media.setdefault("example", example_of(media.get("schema", {}), schemas))
