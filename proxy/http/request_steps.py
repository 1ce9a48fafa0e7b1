"""The steps from a parsed link to a response that need no pixels: they exist once, for fast path and endpoint.

Theory. A request is one line of steps: link → tenant → image request → 304 or memory → delivery. The endpoint walks
all of it and waits where it must. The fast path walks the same steps in a plain call, and stops (None) at the first
one that would have to wait: a tenant that is not cached, a reference to a source, a picture that memory does not hold.
"""

from proxy.core.caching import matches
from proxy.core.media.derivative import Derivative
from proxy.core.url.link import Link
from proxy.delivery.image_request import ImageRequest, NegotiationHeaders, RequestBuilder
from proxy.delivery.service import Delivered, Delivery
from proxy.http.headers import cache_headers, picture_headers, server_timing
from proxy.http.problem import Response


class RequestSteps:
    """Builds image requests and answers them from memory."""

    def __init__(self, requests: RequestBuilder, delivery: Delivery) -> None:
        self._requests = requests
        self._delivery = delivery

    async def build(self, link: Link, negotiation: NegotiationHeaders) -> ImageRequest:
        """Authorize a link and build its image request, waiting for the tenant and the source it may refer to."""
        tenant = await self._requests.authorize(link)
        resolved = None if link.digest else await self._requests.resolve(tenant, link)
        return self._requests.build(tenant, link, negotiation, resolved)

    def build_at_once(self, link: Link, negotiation: NegotiationHeaders) -> ImageRequest | None:
        """Do what `build` does without waiting; return None if that is not possible."""
        tenant = self._requests.authorize_cached(link)
        if tenant is None or link.digest is None:
            return None
        return self._requests.build(tenant, link, negotiation)

    def is_current(self, request: ImageRequest) -> bool:
        """Return whether the request of a link that does not expire would be built again as it is."""
        return self._requests.is_current(request)

    def check_refusal(self, request: ImageRequest) -> None:
        """Raise OriginalWithdrawn if the original has been withdrawn since the request was built."""
        self._requests.check_refusal(request.tenant.name, request.original)

    def peek(self, request: ImageRequest) -> tuple[str, Derivative] | None:
        """Return the tier's name and the derivative from this process's memory, or None."""
        return self._delivery.peek(request)

    def respond_from_memory(self, request: ImageRequest, if_none_match: str) -> Response | None:
        """Return a 304 (from the URL alone), the picture that memory holds, or None."""
        if if_none_match and matches(if_none_match, request.etag):
            return Response(304, cache_headers(request), b"")
        entry = self.peek(request)
        return None if entry is None else picture_response(request, Delivered(entry[1], entry[0]))


def picture_response(request: ImageRequest, delivered: Delivered) -> Response:
    """Return the 200 of a picture."""
    derivative = delivered.derivative
    headers = picture_headers(request, derivative.format, len(derivative.body), server_timing(delivered))
    return Response(200, headers, derivative.body, delivered.tier)
