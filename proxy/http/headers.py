"""Heads: what the edge reads of a request's, and what it writes into an answer's."""

from functools import lru_cache

from starlette.types import Scope

from proxy.core.caching import cache_control
from proxy.core.errors import HeadersTooLarge
from proxy.core.media.formats import TEXTS, Format
from proxy.core.recipe.client_hints import FIELDS, VARY
from proxy.core.url.link import Link, parse_target
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders
from proxy.delivery.service import Delivered
from proxy.http.problem import SAFE_HEADERS, Headers

MAX_HEADER_BYTES = 16_384

_HINTS = frozenset(name.encode() for name in FIELDS)


def read_fields(fields: Headers) -> tuple[NegotiationHeaders, str]:
    """Give what is asked and If-None-Match; repeated fields are one list (RFC 9110 §5.3)."""
    accept = if_none_match = b""
    hints = []
    size = 0
    for name, value in fields:
        size += len(name) + len(value)
        if name == b"accept":
            accept = accept + b"," + value if accept else value
        elif name == b"if-none-match":
            if_none_match = if_none_match + b"," + value if if_none_match else value
        elif name in _HINTS:
            hints.append((name.decode(), value.decode("latin-1")))
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"The header fields are over {MAX_HEADER_BYTES} bytes.")
    return NegotiationHeaders(accept.decode("latin-1"), tuple(hints)), if_none_match.decode("latin-1")


def target_of(scope: Scope) -> bytes:
    """Give the raw target as it was sent."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


@lru_cache(maxsize=16_384)
def read_link(target: bytes) -> Link:
    """Read a raw target's shape; MalformedRequest or TargetTooLong say what is wrong."""
    raw_path, _, query = target.partition(b"?")
    return parse_target(raw_path, query)


def naming(request: ImageRequest) -> Headers:
    """Give what a 200 and its 304 both carry (RFC 9110 §15.4.5)."""
    headers = [
        (b"etag", request.etag.encode()),
        (b"cache-control", cache_control(request.lifetime_s, request.fresh_s).encode()),
        (b"x-amz-meta-cache-tag", f"a-{request.tenant.name}-{request.original}, t-{request.tenant.name}".encode()),
    ]
    return headers + varying(request)


def varying(request: ImageRequest) -> Headers:
    """Give what the answer depends on beside the URL, a refusal's as well."""
    return [] if request.client is None else [(b"vary", VARY.encode() if request.tenant.hints else b"Accept")]


def saving(request: ImageRequest, shown: Format) -> Headers:
    """Give the name to save a picture by, where the recipe asks for that (RFC 6266)."""
    ending = "jpg" if shown.name == "jpeg" else "txt" if shown in TEXTS[1:] else shown.name
    named = (b"content-disposition", f'attachment; filename="{request.original[:16]}.{ending}"'.encode())
    return [named] if request.recipe.dl else []


def picture_headers(request: ImageRequest, shown: Format, length: int, server_timing: str) -> Headers:
    """Give all that a picture's 200 carries but the request's id."""
    return [
        (b"content-type", shown.media_type.encode()),
        (b"content-length", str(length).encode()),
        *naming(request),
        *SAFE_HEADERS,
        *saving(request, shown),
        (b"server-timing", server_timing.encode()),
    ]


def server_timing(delivered: Delivered) -> str:
    """Tell the tier and each stage in milliseconds (W3C Server Timing)."""
    return ", ".join((tier_timing(delivered.tier), *(f"{name};dur={1000 * s:.1f}" for name, s in delivered.stages)))


def tier_timing(name: str) -> str:
    """Tell the tier alone."""
    return f'tier;desc="{name}"'
