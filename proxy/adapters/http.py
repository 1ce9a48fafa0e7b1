"""Sources over HTTP, fetched so that nobody can turn the server against its own network.

* Every address is judged at the moment it is connected to, as a number (`proxy.core.url.public_addresses`). A name that
  resolves to something else the second time (DNS rebinding) gains nothing, as there is no second time. TLS verifies the
  name all the same.
* A redirect is followed by hand, three times at most, and only to where the tenant has a source; a source's own header
  fields are sent to that source alone.
* No proxy and no `.netrc` of the environment, no cookies, no content coding, and of each body no more than the sink
  takes.

aiohttp lets us open each socket, and sends a path as it is written. Sources: RFC 9110 for HTTP, RFC 8305 for several
addresses of one name.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from proxy.adapters.name_resolver import NameResolver, NoPublicAddressError, resolving_for
from proxy.core.errors import MalformedRequest, SourceFailed, SourceNotAllowed, SourceNotFound, SourceTimeout
from proxy.core.url.public_addresses import is_public
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, find_source, follow
from proxy.ports import Sink

_REDIRECTS = 3
_CONNECTIONS = 64
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=3.0, sock_read=5.0)
"""In seconds; the caller has a deadline for the whole."""
_CHUNK_BYTES = 2**18
_FIELDS = {"user-agent": "darkroom", "accept": "image/*", "accept-encoding": "identity"}
_OK, _NOT_MODIFIED, _MISSING = 200, 304, {404, 410}
_REDIRECTING = {301, 302, 303, 307, 308}


class HttpSources:
    """`https://` and `http://` references, over a session from `open_http`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        source = find_source(sources, reference)
        owner = tuple(allowed.prefix for allowed in sources)
        for _ in range(_REDIRECTS + 1):
            fields = {**dict(source.credentials), **known.conditions()}
            url = URL(str(reference), encoded=True)
            with _translate_errors(), resolving_for(owner):
                async with self._session.get(url, headers=fields, allow_redirects=False) as response:
                    if response.status not in _REDIRECTING:
                        return await _receive(response, known, sink)
                    reference = _redirected(reference, response.headers.get("location", ""))
            source = _allowed(sources, reference)
        raise SourceFailed(f"The source redirects more than {_REDIRECTS} times.")


@asynccontextmanager
async def open_http(
    allowed: Callable[[str], bool] = is_public, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session, one per process. It connects to addresses that are `allowed`, and to no others."""
    names = resolver or NameResolver()
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(),
        resolver=names,
        use_dns_cache=False,
        socket_factory=partial(_open_socket, allowed),
        limit=_CONNECTIONS,
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            headers=_FIELDS,
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield session
    finally:
        await names.close()


async def _receive(response: aiohttp.ClientResponse, known: Validators, sink: Sink) -> Validators | None:
    """Write an answer's body into the sink; return None for a 304 that was asked for.

    Raise SourceFailed for all but a plain 200.
    """
    if response.status == _NOT_MODIFIED and known != Validators():
        return None
    if response.status in _MISSING:
        raise SourceNotFound(f"The source answered {response.status}: there is no such original.")
    if response.status != _OK:
        raise SourceFailed(f"The source answered {response.status}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceFailed("The source answered in a content coding, although the request accepts none.")
    sink.expect(response.content_length or 0)
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        await sink.append(chunk)
    return Validators.from_headers(response.headers.get("etag", ""), response.headers.get("last-modified", ""))


def _redirected(reference: Reference, location: str) -> Reference:
    try:
        target = follow(reference, location)
    except MalformedRequest:
        target = None
    if target is None or target.scheme == "s3":
        raise SourceFailed("The source redirects to an invalid address.")
    return target


def _allowed(sources: Sequence[Source], reference: Reference) -> Source:
    try:
        return find_source(sources, reference)
    except SourceNotAllowed:
        raise SourceNotAllowed("The source redirects to an address that is within no source of this tenant.") from None


def _open_socket(allowed: Callable[[str], bool], candidate: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket for the address that is about to be connected to."""
    family, kind, protocol, _, address = candidate
    if not allowed(str(address[0])):
        raise NoPublicAddressError("not a public address")
    return socket.socket(family, kind, protocol)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate what aiohttp and the sockets below it raise."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, NoPublicAddressError):
            raise SourceNotAllowed("The source's host has no public address.") from error
        raise SourceFailed("The source does not accept connections.") from error
    except TimeoutError as error:
        raise SourceTimeout("The source did not answer in time.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise SourceFailed("The source does not answer, or its answer is not valid HTTP.") from error
