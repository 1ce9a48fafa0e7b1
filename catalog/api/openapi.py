"""The OpenAPI document of the application: what FastAPI writes, completed by what all operations share.

    errors      the statuses that an operation may answer with, `application/problem+json` (RFC 9457)
    headers     of every answer: the quota, ETag, Location, Idempotency-Replayed, Tus-Resumable
    security    one bearer scheme; operations of PUBLIC need no token
    roles       `x-role` and `x-scope` of each operation, from the one table of permissions
    examples    of each JSON request and answer, put together from the examples of the models

A route declares what is its own: further errors as `responses={504: {}}`, header fields by `told`, a body that is not
JSON.
The version is 3.2, because server-sent events are described by `itemSchema`, which 3.1 does not have.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from fastapi import FastAPI

from catalog.api.openapi_parts import IDEMPOTENCY_KEY, TENANT, components, header_references, problem, quota_fields
from catalog.api.schema_examples import example_of, with_nulls
from catalog.api.tus import PREFIX as TUS
from catalog.core.permissions import PERMISSIONS, PUBLIC

VERSION: Final = "3.2.0"
ERRORS: Final[dict[int | str, dict[str, Any]]] = {"default": {"description": "An error."}}
"""Declared for the whole application, which keeps FastAPI from describing errors of its own."""

_JSON, _FORM = "application/json", "multipart/form-data"
_CHANGES = frozenset({"post", "put", "patch", "delete"})
_WITHOUT_KEY: Final = frozenset({"POST /api/sign", "PATCH /api/tus/{id}", "DELETE /api/tus/{id}"})
"""Signing changes nothing; the state of a resumable upload makes what is sent to it happen once."""
_CREATED, _NOT_MODIFIED, _FIRST_ERROR = 201, 304, 400
_AUTHORIZED: Final = frozenset({400, 401, 403, 404, 422, 429, 500, 503})
"""Of every operation with a token: `?tenant=` may name none, and the query may have what does not exist."""


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
    all_components = document.setdefault("components", {})
    for kind, members in components().items():
        all_components.setdefault(kind, {}).update(members)
    _complete_schemas(all_components["schemas"])
    document["security"] = [{"bearer": []}]
    for method, path, operation in operations_of(document):
        route = f"{method.upper()} {path}"
        _complete_access(operation, route)
        _complete_parameters(operation, keyed=method in _CHANGES and route not in _WITHOUT_KEY)
        _complete_answers(operation, method, path, all_components["schemas"])
        _complete_examples(operation, all_components["schemas"])
    for item in document["paths"].values():
        if "get" in item and "head" in item:
            _complete_head(item["head"]["responses"], item["get"]["responses"])
    return document


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation of everything that a document describes."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def is_public(operation: Mapping[str, Any]) -> bool:
    """Return whether an operation needs no token."""
    return operation.get("security") == []


def _complete_access(operation: dict[str, Any], route: str) -> None:
    if route in PUBLIC:
        operation["security"] = []
    elif (permission := PERMISSIONS.get(route)) is not None:
        operation["x-role"], operation["x-scope"] = permission.role.label, permission.scope.value


def _complete_parameters(operation: dict[str, Any], *, keyed: bool) -> None:
    if is_public(operation):
        return
    parameters = operation.setdefault("parameters", [])
    if not any(parameter["name"] == "tenant" for parameter in parameters):
        parameters.append(TENANT)
    if keyed:
        parameters.append(IDEMPOTENCY_KEY)


def _complete_answers(operation: dict[str, Any], method: str, path: str, schemas: Mapping[str, Any]) -> None:
    responses, tus = operation["responses"], path.startswith(TUS)
    responses.pop("default", None)
    names = {str(parameter.get("name", "")).lower() for parameter in operation.get("parameters", ())}
    for status, response in list(responses.items()):
        if int(status) >= _FIRST_ERROR:
            responses[status] = problem(int(status), tus=tus)
            continue
        response.setdefault("description", "")
        told = list(_fields_of(operation, int(status)))
        if int(status) == _NOT_MODIFIED or _has_version(response, schemas):
            told.append("ETag")
        if tus:
            told.append("Tus-Resumable")
        response["headers"] = header_references(*told) | response.get("headers", {})
    for status in sorted(_errors_of(operation, method, names)):
        responses.setdefault(str(status), problem(status, tus=tus))


def _complete_head(responses: dict[str, Any], of_get: Mapping[str, Any]) -> None:
    """Give the answers to HEAD the header fields of those to GET, and no content (RFC 9110 §9.3.2)."""
    for status, response in responses.items():
        if "$ref" not in response:
            response.pop("content", None)
            response["headers"] |= of_get.get(status, {}).get("headers", {})


def _has_version(response: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    """Return whether an answer is a thing with a version, which has an entity tag."""
    reference = response.get("content", {}).get(_JSON, {}).get("schema", {}).get("$ref", "")
    return "version" in schemas.get(reference.rpartition("/")[2], {}).get("properties", {})


def _fields_of(operation: Mapping[str, Any], status: int) -> Iterator[str]:
    """Yield the names of the header fields of an answer that is not an error."""
    if is_public(operation):
        return
    yield from quota_fields()
    if IDEMPOTENCY_KEY in operation["parameters"]:
        yield "Idempotency-Replayed"
    if status == _CREATED:
        yield "Location"


def _errors_of(operation: Mapping[str, Any], method: str, names: set[str]) -> set[int]:
    """Return the statuses of the errors that an operation may answer with."""
    errors = {500} if is_public(operation) else set(_AUTHORIZED)
    if method in _CHANGES:
        errors |= {400, 408, 409, 413, 422}
    if "if-match" in names:
        errors.add(412)
    if _FORM in operation.get("requestBody", {}).get("content", {}):
        errors.add(415)
    return errors


def _complete_schemas(schemas: Mapping[str, dict[str, Any]]) -> None:
    for schema in schemas.values():
        if "examples" in schema:
            schema["examples"] = [with_nulls(example, schema, schemas) for example in schema["examples"]]


def _complete_examples(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    for message in (operation.get("requestBody", {}), *operation["responses"].values()):
        media = message.get("content", {}).get(_JSON)
        if media is not None and "examples" not in media:
            media.setdefault("example", example_of(media.get("schema", {}), schemas))
