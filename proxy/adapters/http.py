"""Sources over HTTP, asked so that nobody can make them somebody else's.

* Every address that is connected to is judged at that moment, when it is a number
  (`proxy.core.url.public_addresses`): a name that resolves to something else the second time (DNS rebinding) gains
  nothing, as there is no second time. TLS verifies the
  name all the same.
* A redirect is followed by hand, thrice at most, and only to where the tenant has a source; a source's own header
  fields go to that source alone.
* No proxy and no `.netrc` of the environment, no cookies, no content coding, and of each body no more than the sink
  takes.

aiohttp lets us open each socket, and sends a path as it is written. Sources: RFC 9110 for HTTP, RFC 8305 for several
addresses of one name.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from proxy.core.errors import MalformedRequest, SourceFailed, SourceNotAllowed, SourceNotFound, SourceTimeout
from proxy.core.url.public_addresses import is_public
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, find_source, follow
from proxy.ports import Sink

_REDIRECTS = 3
_CONNECTIONS = 64
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=3.0, sock_read=5.0)
"""In seconds; whoever fetches has a deadline for the whole."""
_CHUNK_BYTES = 2**18
_NAME_THREADS = 8
_FIELDS = {"user-agent": "darkroom", "accept": "image/*", "accept-encoding": "identity"}
_OK, _NOT_MODIFIED, _MISSING = 200, 304, {404, 410}
_REDIRECTING = {301, 302, 303, 307, 308}


class HttpSources:
    """`https://` and `http://` references, by a session that `open_http` has opened."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        source = find_source(sources, reference)
        for _ in range(_REDIRECTS + 1):
            fields = {**dict(source.credentials), **known.conditions()}
            url = URL(str(reference), encoded=True)
            with _border():
                async with self._session.get(url, headers=fields, allow_redirects=False) as response:
                    if response.status not in _REDIRECTING:
                        return await _take(response, known, sink)
                    reference = _redirected(reference, response.headers.get("location", ""))
            source = _allowed(sources, reference)
        raise SourceFailed(f"The source redirects more than {_REDIRECTS} times.")


@asynccontextmanager
async def open_http(
    allowed: Callable[[str], bool] = is_public, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the one session of this process; it connects to addresses that are `allowed`, and to no other."""
    names = resolver or _Resolver()
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


async def _take(response: aiohttp.ClientResponse, known: Validators, sink: Sink) -> Validators | None:
    """Read an answer into the sink; refuses all but a plain 200, or a 304 that was asked for."""
    if response.status == _NOT_MODIFIED and known != Validators():
        return None
    if response.status in _MISSING:
        raise SourceNotFound(f"The source answers {response.status}: there is no such original.")
    if response.status != _OK:
        raise SourceFailed(f"The source answers {response.status}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceFailed("The source answers in a content coding, though it was asked for none.")
    sink.expect(response.content_length or 0)
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        await sink.append(chunk)
    return Validators.told(response.headers.get("etag", ""), response.headers.get("last-modified", ""))


def _redirected(reference: Reference, location: str) -> Reference:
    try:
        target = follow(reference, location)
    except MalformedRequest:
        target = None
    if target is None or target.scheme == "s3":
        raise SourceFailed("The source redirects to what is no address of a source.")
    return target


def _allowed(sources: Sequence[Source], reference: Reference) -> Source:
    try:
        return find_source(sources, reference)
    except SourceNotAllowed:
        raise SourceNotAllowed("The source redirects to where this tenant has no source.") from None


class _NotAllowedError(OSError):
    """An address that is not to be connected to; an OSError, so that another of the same name is tried."""


def _open_socket(allowed: Callable[[str], bool], found: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket for an address that is about to be connected to, and to nothing else."""
    family, kind, protocol, _, address = found
    if not allowed(str(address[0])):
        raise _NotAllowedError("not a public address")
    return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """The system's resolver in threads of its own: a name server that hangs holds up nothing but references."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_NAME_THREADS, "darkroom-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See `AbstractResolver`; an OSError where there is no such name."""
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Start no further lookup."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _border() -> Iterator[None]:
    """Translate what aiohttp and the sockets below it raise."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _NotAllowedError):
            raise SourceNotAllowed("The source's host has no public address.") from error
        raise SourceFailed("The source cannot be connected to.") from error
    except TimeoutError as error:
        raise SourceTimeout("The source does not answer in time.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise SourceFailed("The source does not answer, or not as HTTP wants it.") from error
