"""Refusals as `application/problem+json` (RFC 9457), at most 1 KiB, never an echo of markup."""

import json
from typing import Final

from proxy.core.caching import error_cache_control
from proxy.core.errors import DarkroomError, MethodNotAllowed

Headers = list[tuple[bytes, bytes]]

SAFE_HEADERS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"timing-allow-origin", b"*"),
]
"""On every answer: whatever it holds, it is a picture or a word about one, and never a document that acts."""
ALLOW: Final = b"GET, HEAD, OPTIONS"

MAX_BYTES = 1_024


def problem_body(refusal: DarkroomError, request_id: str) -> bytes:
    """Write the problem document: type, title, status, code, detail, the refusal's own members, the request's id."""
    told: dict[str, str | int] = {
        "type": f"urn:darkroom:error:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail[:400],
        **refusal.members(),
        "request": request_id,
    }
    body = json.dumps(told, ensure_ascii=False).encode()
    for spare in ("right", "fault"):
        if len(body) <= MAX_BYTES:
            break
        told.pop(spare, None)
        body = json.dumps(told, ensure_ascii=False).encode()
    return body


def problem_answer(refusal: DarkroomError, request_id: str) -> tuple[int, Headers, bytes]:
    """Give the whole answer: status, headers, body."""
    body = problem_body(refusal, request_id)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", error_cache_control(refusal.max_age_s).encode()),
        *SAFE_HEADERS,
    ]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    if isinstance(refusal, MethodNotAllowed):
        headers.append((b"allow", ALLOW))
    return refusal.status, headers, body
