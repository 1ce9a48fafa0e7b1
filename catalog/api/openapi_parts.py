"""What all operations share in the OpenAPI document: the problem, its answers by status, header fields, parameters."""

from collections.abc import Mapping
from typing import Any, Final

from catalog.api.problems import MEDIA_TYPE as PROBLEM
from catalog.core.upload_errors import TUS_VERSION
from catalog.records.identity import IDEMPOTENCY_KEY_LENGTH

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TUS_VERSION: Final = {"type": "string", "enum": [TUS_VERSION]}
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
_REQUEST_ID: Final = "X-Request-Id"
_QUOTA: Final = ("RateLimit", "RateLimit-Policy")
_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    _REQUEST_ID: {"description": "The request's id in the logs.", "required": True, "schema": _TEXT},
    "RateLimit": {
        "description": "What is left of the caller's quota, and the seconds until it is renewed.",
        "schema": {**_TEXT, "examples": ['"read";r=1199;t=60']},
    },
    "RateLimit-Policy": {
        "description": "The caller's quota: requests in a window of seconds.",
        "schema": {**_TEXT, "examples": ['"read";q=1200;w=60']},
    },
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The scheme of authentication.", "required": True, "schema": _TEXT},
    "ETag": {"description": "The version, for If-Match and If-None-Match.", "schema": _TEXT},
    "Location": {"description": "Where the thing that was created is.", "required": True, "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "`true` where the answer is the first one of this Idempotency-Key.",
        "schema": {**_TEXT, "enum": ["true"]},
    },
    "Content-Disposition": {"description": "The name of the file.", "required": True, "schema": _TEXT},
    "Tus-Resumable": {"description": "The version of tus.", "required": True, "schema": _TUS_VERSION},
    "Tus-Version": {"description": "The versions of tus that are known.", "schema": _TUS_VERSION},
    "Tus-Extension": {"description": "The extensions of tus that are known.", "required": True, "schema": _TEXT},
    "Tus-Max-Size": {"description": "Bytes that a file has at most.", "required": True, "schema": _COUNT},
    "Tus-Checksum-Algorithm": {"description": "Algorithms of Upload-Checksum.", "required": True, "schema": _TEXT},
    "Upload-Offset": {"description": "Bytes that are there: where the next ones begin.", "schema": _COUNT},
    "Upload-Length": {"description": "Bytes of the whole file, once they are known.", "schema": _COUNT},
    "Upload-Defer-Length": {"description": "`1` while the size is not known.", "schema": {**_TEXT, "enum": ["1"]}},
    "Upload-Metadata": {"description": "What the creation said of the file.", "schema": _TEXT},
    "Upload-Expires": {"description": "When the upload ends by itself.", "required": True, "schema": _TEXT},
    "X-Image-Id": {"description": "Id of the image that the upload has become.", "schema": _TEXT},
}
_ERRORS: Final[Mapping[int, tuple[str, tuple[str, ...]]]] = {
    400: ("The request cannot be read.", _QUOTA),
    401: ("The token is missing, wrong, expired or revoked.", ("WWW-Authenticate",)),
    403: ("The role or the scopes of the token do not reach.", _QUOTA),
    404: ("There is no such thing, or it belongs to another tenant.", _QUOTA),
    408: ("The body came too slowly.", _QUOTA),
    409: ("The change does not fit the present state.", (*_QUOTA, "Retry-After")),
    410: ("The upload has ended.", _QUOTA),
    412: ("If-Match names another version.", (*_QUOTA, "ETag")),
    413: ("The body is too large.", _QUOTA),
    415: ("The file is not an image of a kind that is accepted.", _QUOTA),
    422: ("Fields of the request are not valid, or over a limit.", _QUOTA),
    428: ("The change needs If-Match.", _QUOTA),
    429: ("Too many requests.", (*_QUOTA, "Retry-After")),
    460: ("The bytes do not have their checksum.", _QUOTA),
    500: ("An unexpected error.", _QUOTA),
    502: ("A source did not return a usable answer.", (*_QUOTA, "Retry-After")),
    503: ("Something that the request needs does not answer.", (*_QUOTA, "Retry-After")),
    504: ("The request took too long.", (*_QUOTA, "Retry-After")),
    507: ("There is no room for a file of this size.", _QUOTA),
}
_TUS_ERRORS: Final = {
    **_ERRORS,
    412: ("Tus-Resumable is missing, or names another version.", (*_QUOTA, "Tus-Version")),
    415: ("The file is not accepted, or its bytes are not declared as tus declares them.", _QUOTA),
}

IDEMPOTENCY_KEY: Final = {"$ref": "#/components/parameters/IdempotencyKey"}
TENANT: Final = {"$ref": "#/components/parameters/Tenant"}


def components() -> dict[str, dict[str, Any]]:
    """Return the members of `components`."""
    return {
        "schemas": {"Problem": _PROBLEM, "FieldError": _FIELD_ERROR},
        "responses": {
            **{f"Problem{status}": _response(text, names) for status, (text, names) in _ERRORS.items()},
            **{
                f"TusProblem{status}": _response(text, (*names, "Tus-Resumable"))
                for status, (text, names) in _TUS_ERRORS.items()
            },
        },
        "headers": {name: dict(header) for name, header in _HEADERS.items()},
        "parameters": {
            "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The change is done once per key within 24 hours; a repeated request has its answer.",
                "schema": {"type": "string", "pattern": f"^[ -~]{{1,{IDEMPOTENCY_KEY_LENGTH}}}$"},
            },
            "Tenant": {
                "name": "tenant",
                "in": "query",
                "description": "For operators: the tenant to act for.",
                "schema": {"type": "string", "maxLength": 31},
            },
        },
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API token or a JWT."}},
    }


def problem(status: int, *, tus: bool = False) -> dict[str, Any]:
    """Return a reference to the answer of an error; those of tus name its version."""
    return {"$ref": f"#/components/responses/{'Tus' if tus else ''}Problem{status}"}


def told(*names: str) -> dict[str, Any]:
    """Return what a route declares for a status, so that its header fields are told."""
    return {"headers": header_references(*names)}


def header_references(*names: str) -> dict[str, Any]:
    """Return references to the header fields of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (_REQUEST_ID, *names)}


def quota_fields() -> tuple[str, ...]:
    """Return the names of the fields that tell a quota."""
    return _QUOTA


def _response(description: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": header_references(*names),
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
