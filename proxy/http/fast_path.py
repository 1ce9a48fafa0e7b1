"""FastPath: what memory holds, answered in a plain call; whatever is not that is the edge's.

What a link was found to mean, and the head of its answer, are remembered as long as its tenant is who it was: keys,
rules and their end are checked anew with every reading of the tenant.
"""

from dataclasses import dataclass
from random import getrandbits

from cachetools import LRUCache

from proxy.core.errors import DarkroomError
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders, RequestBuilder
from proxy.delivery.service import Delivery
from proxy.http.headers import picture_headers, read_fields, read_link, tier_timing
from proxy.http.problem import Headers
from proxy.telemetry.metrics import Metrics

_REMEMBERED = 8_192
_LONGEST_ACCEPT = 256


@dataclass(frozen=True, slots=True)
class _Known:
    """What a link means, and its answer but for the body and the id."""

    request: ImageRequest
    tier: str
    length: int
    lines: bytes


class FastPath:
    """Answers for the edge where nothing has to be awaited; `logged` as the edge's."""

    def __init__(self, requests: RequestBuilder, delivery: Delivery, metrics: Metrics, logged: str) -> None:
        self._requests = requests
        self._delivery = delivery
        self._metrics = metrics
        self._logged = logged
        self._known: LRUCache[tuple[bytes, NegotiationHeaders], _Known] = LRUCache(_REMEMBERED)

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET for a picture in memory: status, header lines, body. The edge's line, walked without waiting.

        None when it would have to wait, to refuse, to compare or to log: then the edge walks it from the start.
        """
        if self._logged == "all":
            return None
        try:
            negotiation, if_none_match = read_fields(fields)
            hit = None if if_none_match else self._find_hit(target, negotiation)
        except DarkroomError:
            return None
        if hit is None:
            return None
        lines, tier, body = hit
        self._metrics.answered(200, tier, len(body))
        return 200, b"%bx-request-id: %016x\r\n" % (lines, getrandbits(64)), body

    def _find_hit(self, target: bytes, negotiation: NegotiationHeaders) -> tuple[bytes, str, bytes] | None:
        """Give header lines, tier and body; what was worked out for the same words before is not worked out again."""
        known = self._known.get((target, negotiation))
        if known is not None and self._requests.is_current(known.request):
            request = known.request
        else:
            link = read_link(target)
            tenant = self._requests.authorize_cached(link)
            if tenant is None or link.digest is None:  # what a reference means has to be asked each time
                return None
            request, known = self._requests.build(tenant, link, negotiation), None
        peek = self._delivery.peek(request)
        if peek is None:
            return None
        tier, derivative = peek
        body = derivative.body
        if known is None or (known.tier, known.length) != (tier, len(body)):
            headers = picture_headers(request, derivative.format, len(body), tier_timing(tier))
            known = _Known(request, tier, len(body), b"".join(b"%b: %b\r\n" % field for field in headers))
            # an end to come would change the Cache-Control with every second
            if request.lifetime_s is None and len(negotiation.accept) <= _LONGEST_ACCEPT:
                self._known[(target, negotiation)] = known
        return known.lines, tier, body
