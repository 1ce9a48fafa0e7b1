"""Refusals as `application/problem+json` (RFC 9457), at most 1 KiB, without any markup of the request."""

import json
from random import getrandbits
from typing import Final, NamedTuple

from proxy.core.caching import error_cache_control
from proxy.core.errors import DarkroomError, MethodNotAllowed

Headers = list[tuple[bytes, bytes]]

SAFE_HEADERS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"timing-allow-origin", b"*"),
]
"""Part of every response: no body of this service is a document that a browser may run."""
ALLOW: Final = b"GET, HEAD, OPTIONS"

MAX_BYTES = 1_024


class Response(NamedTuple):
    """A whole response, without the request id."""

    status: int
    headers: Headers
    body: bytes
    tier: str = "none"
    """Tier of the cache that the picture came from, `render`, `coalesced`, or `none`."""


def new_request_id() -> str:
    """Return 16 hex digits; unique enough to find a log line, and not a secret, so no system call is needed."""
    return f"{getrandbits(64):016x}"


def request_id_header(request_id: str) -> tuple[bytes, bytes]:
    """Return the field that names a request."""
    return b"x-request-id", request_id.encode()


def problem_body(error: DarkroomError, request_id: str) -> bytes:
    """Return the problem document: type, title, status, code, detail, the error's own members, the request id.

    Members that do not fit into MAX_BYTES are left out.
    """
    document: dict[str, object] = {
        "type": f"urn:darkroom:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail[:400],
        **error.members(),
        "request": request_id,
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    for member in ("right", "fault"):
        if len(body) <= MAX_BYTES:
            break
        document.pop(member, None)
        body = json.dumps(document, ensure_ascii=False).encode()
    return body


def problem_response(error: DarkroomError, request_id: str) -> Response:
    """Return the whole response to a request that was refused."""
    body = problem_body(error, request_id)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", error_cache_control(error.max_age_s).encode()),
        *SAFE_HEADERS,
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ALLOW))
    return Response(error.status, headers, body)


def header_lines(headers: Headers) -> bytes:
    """Return header fields as they stand in an HTTP/1.1 message, each with its CRLF."""
    return b"".join(b"%b: %b\r\n" % field for field in headers)
