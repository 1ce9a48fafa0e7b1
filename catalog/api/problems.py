"""Problems: every error of the API as `application/problem+json` (RFC 9457).

One table of codes with the delivery plane. FastAPI's own errors (validation, unknown routes, wrong methods) come out in
the same shape. A problem never contains a path of ours, SQL, a stack or the name of another tenant.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from catalog.api.media_types import is_json
from catalog.core.api_errors import ApiError, FieldError, InvalidRequest, ResourceNotFound, ValidationFailed
from proxy.core.errors import DarkroomError, InternalError, MethodNotAllowed, RouteNotFound

log = structlog.get_logger("darkroom.api")

MEDIA_TYPE = "application/problem+json"
MAX_FIELD_ERRORS = 50
MAX_POINTER_LENGTH, MAX_DETAIL_LENGTH = 200, 300
_NOT_FOUND, _METHOD_NOT_ALLOWED, _CLIENT_ERROR, _SERVER_ERROR = 404, 405, 400, 500
_UNKNOWN_FIELD = "extra_forbidden"
_UNREADABLE = frozenset({"json_invalid"})


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    app.add_exception_handler(DarkroomError, _darkroom_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: DarkroomError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for an error: type, title, status, code, detail, the error's own members, the request's id."""
    members: dict[str, Any] = {
        "type": f"urn:darkroom:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        **error.members(),
    }
    if isinstance(error, ValidationFailed):
        members["errors"] = [{"at": found.at, "code": found.code, "detail": found.detail} for found in error.errors]
    members["request"] = request_id
    return Response(
        json.dumps(members, ensure_ascii=True),
        error.status,
        {"cache-control": "no-store", **_headers(error), **(headers or {})},
        MEDIA_TYPE,
    )


def request_id_of(request: Request) -> str:
    """Return the id under which the request is logged."""
    return str(getattr(request.state, "request_id", ""))


def to_field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Return pydantic's errors as ours, at most MAX_FIELD_ERRORS."""
    return [_to_field_error(error) for error in errors[:MAX_FIELD_ERRORS]]


def _headers(error: DarkroomError) -> dict[str, str]:
    headers = dict(error.headers()) if isinstance(error, ApiError) else {}
    if error.retry_after_s is not None:
        headers.setdefault("retry-after", str(error.retry_after_s))
    return headers


async def _darkroom_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, DarkroomError):
        return await _unexpected(request, error)
    return problem(error, request_id_of(request))


async def _validation_error(request: Request, error: Exception) -> Response:
    errors: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    if any(found["loc"][:1] == ("path",) for found in errors):
        return problem(ResourceNotFound("Nothing has this id: check the address."), request_id_of(request))
    if any(found["loc"] == ("body",) for found in errors) and not is_json(request.headers.get("content-type", "")):
        return problem(
            InvalidRequest("The body is not declared as JSON: send Content-Type: application/json."),
            request_id_of(request),
        )
    if any(found["type"] in _UNREADABLE for found in errors):
        return problem(InvalidRequest("The body is not JSON: check its syntax and encoding."), request_id_of(request))
    return problem(ValidationFailed(to_field_errors(errors)), request_id_of(request))


async def _http_exception(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, DarkroomError):  # FastAPI replaces what is raised while it reads a body
        return problem(error.__cause__, request_id_of(request))
    status = error.status_code if isinstance(error, HTTPException) else _SERVER_ERROR
    if status == _NOT_FOUND:
        return problem(RouteNotFound("There is no such route: GET /api lists what there is."), request_id_of(request))
    if status == _METHOD_NOT_ALLOWED:
        allowed = ", ".join(_methods_of_path(request))
        detail = f"The method is not allowed here. Allowed: {allowed}."
        return problem(MethodNotAllowed(detail), request_id_of(request), {"allow": allowed})
    if _CLIENT_ERROR <= status < _SERVER_ERROR:
        return problem(
            InvalidRequest("The request cannot be read: check its body and encoding."), request_id_of(request)
        )
    return await _unexpected(request, error)


def _methods_of_path(request: Request) -> list[str]:
    """Return the methods that any route has for the request's path."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return sorted(
        {
            method
            for route in iter_route_contexts(request.app.routes)
            if route.path_regex.match(path)
            for method in route.methods or ()
        }
    )


async def _client_left(request: Request, _error: Exception) -> Response:
    """Answer a request whose body was cut off: nobody reads it, and it is not a fault of ours."""
    return problem(InvalidRequest("The body ends early: send all of it."), request_id_of(request))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", request=request_id_of(request), exc_info=error)
    return problem(InternalError(), request_id_of(request))


def _to_field_error(error: Mapping[str, Any]) -> FieldError:
    place, *rest = error["loc"] or ("body",)
    if place == "query":
        at = f"?{rest[0]}" if rest else "?"
    elif place == "body":
        at = "".join(f"/{_escaped(str(part))}" for part in rest)
    else:
        at = f"{place}:{'.'.join(map(str, rest))}"
    code = "unknown-field" if error["type"] == _UNKNOWN_FIELD else str(error["type"]).replace("_", "-")
    detail = (
        "This field does not exist." if code == "unknown-field" else str(error["msg"]).removeprefix("Value error, ")
    )
    return FieldError(_printable(at)[:MAX_POINTER_LENGTH], code, _printable(detail)[:MAX_DETAIL_LENGTH])


def _escaped(part: str) -> str:
    """Escape a part of a JSON pointer (RFC 6901 §3)."""
    return part.replace("~", "~0").replace("/", "~1")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
