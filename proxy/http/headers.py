"""Header fields: those that delivery reads from a request, and those that it writes into a response."""

from starlette.types import Scope

from proxy.core.caching import cache_control
from proxy.core.errors import HeadersTooLarge, MalformedRequest
from proxy.core.media.formats import TEXTS, Format
from proxy.core.recipe.client_hints import FIELDS, VARY
from proxy.core.url.link import Link, parse_target
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders
from proxy.delivery.service import Delivered
from proxy.http.problem import SAFE_HEADERS, Headers

MAX_HEADER_BYTES = 16_384

_HINTS = frozenset(name.encode() for name in FIELDS)


def read_fields(fields: Headers) -> tuple[NegotiationHeaders, str]:
    """Return the fields that select a representation, and If-None-Match ("" if absent).

    Repeated fields are joined into one list (RFC 9110 §5.3). Raise HeadersTooLarge above MAX_HEADER_BYTES.
    """
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


def require_host(scope: Scope) -> None:
    """Raise MalformedRequest for an HTTP/1.1 request that has not exactly one Host field (RFC 9112 §3.2)."""
    if scope["http_version"] == "1.1" and sum(name == b"host" for name, _ in scope["headers"]) != 1:
        raise MalformedRequest("An HTTP/1.1 request needs exactly one Host header field.")


def raw_target(scope: Scope) -> bytes:
    """Return the request target as it was sent: the raw path, and the query if there is one."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


def parse_link(target: bytes) -> Link:
    """Parse a raw target; raise MalformedRequest or TargetTooLong.

    Links are not cached here: nobody has verified the seal yet, and a cache would hold what strangers send.
    """
    raw_path, _, query = target.partition(b"?")
    return parse_target(raw_path, query)


def cache_headers(request: ImageRequest) -> Headers:
    """Return the fields that a 200 and its 304 both carry (RFC 9110 §15.4.5)."""
    headers = [
        (b"etag", request.etag.encode()),
        (b"cache-control", cache_control(request.lifetime_s, request.fresh_s).encode()),
        (b"x-amz-meta-cache-tag", f"a-{request.tenant.name}-{request.original}, t-{request.tenant.name}".encode()),
    ]
    return headers + vary_headers(request)


def vary_headers(request: ImageRequest) -> Headers:
    """Return Vary where the response depends on more than the URL; refusals carry it as well."""
    return [] if request.client is None else [(b"vary", VARY.encode() if request.tenant.hints else b"Accept")]


def disposition_headers(request: ImageRequest, picture_format: Format) -> Headers:
    """Return Content-Disposition with a file name where the recipe has `dl` (RFC 6266)."""
    if not request.recipe.dl:
        return []
    name = picture_format.name
    extension = "jpg" if name == "jpeg" else "txt" if picture_format in TEXTS[1:] else name
    value = f'attachment; filename="{request.original[:16]}.{extension}"'
    return [(b"content-disposition", value.encode())]


def picture_headers(request: ImageRequest, picture_format: Format, length: int, server_timing: str) -> Headers:
    """Return all header fields of a picture's 200, without the request id."""
    return [
        (b"content-type", picture_format.media_type.encode()),
        (b"content-length", str(length).encode()),
        *cache_headers(request),
        *SAFE_HEADERS,
        *disposition_headers(request, picture_format),
        (b"server-timing", server_timing.encode()),
    ]


def server_timing(delivered: Delivered) -> str:
    """Format the tier and each stage in milliseconds (W3C Server Timing)."""
    return ", ".join((tier_timing(delivered.tier), *(f"{name};dur={1000 * s:.1f}" for name, s in delivered.stages)))


def tier_timing(name: str) -> str:
    """Format the tier alone (W3C Server Timing)."""
    return f'tier;desc="{name}"'
