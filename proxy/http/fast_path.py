"""The fast path: responses from memory in a plain call; every other request is left to the endpoint.

The meaning of a link and the head of its response are cached for as long as the tenant object and the generation of the
refusals are the same: changes of keys and rules arrive with a new object, withdrawn images with a new number. Only
links whose seal was verified and whose picture is in memory are cached.
"""

from dataclasses import dataclass
from random import getrandbits

from cachetools import LRUCache

from proxy.core.errors import DarkroomError
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders
from proxy.http.headers import parse_link, read_fields
from proxy.http.problem import Headers, Response, header_lines
from proxy.http.request_log import RequestLog
from proxy.http.request_steps import RequestSteps
from proxy.telemetry.metrics import Metrics

_CACHE_BYTES = 16 * 2**20
_ENTRY_BYTES = 2_048
"""Estimate of what an entry takes beside its strings: the image request, its recipe and the dictionaries' slots."""
_MAX_NEGOTIATION_BYTES = 256
"""Longer Accept values and hints are not cached: a client could make an entry for each."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a link means, and its response without body and request id."""

    request: ImageRequest
    tier: str
    length: int
    head: bytes
    size_bytes: int


class FastPath:
    """Answers what can be answered without waiting."""

    def __init__(self, steps: RequestSteps, metrics: Metrics, request_log: RequestLog) -> None:
        self._steps = steps
        self._metrics = metrics
        self._log = request_log
        self._entries: LRUCache[tuple[bytes, NegotiationHeaders], _Entry] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda entry: entry.size_bytes
        )

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET: status, header lines, body.

        Return None if the request has to wait, to be refused or to be logged: the endpoint then starts from the
        beginning.
        """
        if self._log.mode == "all":
            return None
        try:
            response = self._find(target, fields)
        except DarkroomError:
            return None
        if response is None:
            return None
        status, head, body, tier = response
        self._metrics.count_fast_response(status, tier, len(body))
        return status, b"%bx-request-id: %016x\r\n" % (head, getrandbits(64)), body

    def _find(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes, str] | None:
        """Return status, header lines, body and tier; the work of an earlier request for the same is reused."""
        negotiation, if_none_match = read_fields(fields)
        entry = self._entries.get((target, negotiation))
        if entry is not None and self._steps.is_current(entry.request):
            request = entry.request
        else:
            built = self._steps.build_at_once(parse_link(target), negotiation)
            if built is None:
                return None
            entry, request = None, built
        if entry is not None and not if_none_match:
            cached = self._steps.peek(request)
            if cached is None:
                return None
            tier, derivative = cached
            if entry.tier == tier and entry.length == len(derivative.body):
                return 200, entry.head, derivative.body, tier
        response = self._steps.respond_from_memory(request, if_none_match)
        if response is None:
            return None
        head = header_lines(response.headers)
        self._remember(target, negotiation, request, response, head)
        return response.status, head, response.body, response.tier

    def _remember(
        self, target: bytes, negotiation: NegotiationHeaders, request: ImageRequest, response: Response, head: bytes
    ) -> None:
        """Cache the head of a 200. A link that expires is not cached: its Cache-Control changes every second."""
        negotiated = len(negotiation.accept) + sum(len(name) + len(value) for name, value in negotiation.hints)
        if response.status != 200 or request.lifetime_s is not None or negotiated > _MAX_NEGOTIATION_BYTES:  # noqa: PLR2004 - HTTP's own number
            return
        size = _ENTRY_BYTES + len(target) + negotiated + len(head)
        self._entries[(target, negotiation)] = _Entry(request, response.tier, len(response.body), head, size)
