"""Refusals as `application/problem+json` (RFC 9457), at most 1 KiB, never an echo of markup."""

import json

from proxy.core.errors import Refusal

MAX_BYTES = 1_024


def problem_body(refusal: Refusal, request_id: str) -> bytes:
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
