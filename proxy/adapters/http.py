"""Sources over HTTP, asked so that nobody can make them somebody else's.

* Every address that is connected to is judged at that moment, when it is a number (`proxy.core.addresses`): a name that
  resolves to something else the second time (DNS rebinding) gains nothing, as there is no second time. TLS verifies the
  name all the same.
* A redirect is followed by hand, thrice at most, and only to where the tenant has a source; a source's own header
  fields go to that source alone.
* No proxy and no `.netrc` of the environment, no cookies, no content coding, and of each body no more than the sink
  takes.

httpx speaks through aiohttp, which costs a third of its own transport and lets us open each socket. Sources: RFC 9110
for HTTP, RFC 8305 for several addresses of one name.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from proxy.core.addresses import is_public
from proxy.core.errors import Malformed, SourceFailed, SourceLate, SourceMissing, SourceNotAllowed
from proxy.core.meaning import Stamp
from proxy.core.reference import Reference, find_source, parse_reference
from proxy.core.tenant import Source
from proxy.ports import Sink

_REDIRECTS = 3
_CONNECTIONS = 64
_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 5.0
_CHUNK_BYTES = 2**18
_NAME_THREADS = 8
_FIELDS = {"user-agent": "darkroom", "accept": "image/*", "accept-encoding": "identity"}


class HttpSources:
    """`https://` and `http://` references, by a client that `open_http` has opened."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def fetch(self, reference: Reference, sources: Sequence[Source], known: Stamp, sink: Sink) -> Stamp | None:
        """See `Sources`."""
        source = find_source(sources, reference)
        with _border():
            for _ in range(_REDIRECTS + 1):
                fields = {**dict(source.credentials), **known.conditions()}
                async with self._client.stream("GET", str(reference), headers=fields) as response:
                    if not response.has_redirect_location:
                        return await _take(response, known, sink)
                    reference = _redirected(reference, response)
                source = _allowed(sources, reference)
        raise SourceFailed(f"The source redirects more than {_REDIRECTS} times.")


@asynccontextmanager
async def open_http(
    allowed: Callable[[str], bool] = is_public, resolver: AbstractResolver | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open the one client of this process; it connects to addresses that are `allowed`, and to no other."""
    names = resolver or _Resolver()
    context = httpx.create_ssl_context()
    connector = aiohttp.TCPConnector(
        ssl=context, resolver=names, socket_factory=partial(_open_socket, allowed), limit=_CONNECTIONS
    )
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
    transport = AiohttpTransport(verify=context, client=session)
    try:
        async with open_client(transport) as client:
            yield client
    finally:
        await session.close()
        await names.close()


def open_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Make a client that keeps nothing of one answer for the next request; without a transport it has no guard."""
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        headers=_FIELDS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
    )


async def _take(response: httpx.Response, known: Stamp, sink: Sink) -> Stamp | None:
    """Read an answer into the sink; refuses all but a plain 200, or a 304 that was asked for."""
    if response.status_code == httpx.codes.NOT_MODIFIED and known != Stamp():
        return None
    if response.status_code in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
        raise SourceMissing(f"The source answers {response.status_code}: there is no such original.")
    if response.status_code != httpx.codes.OK:
        raise SourceFailed(f"The source answers {response.status_code}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceFailed("The source answers in a content coding, though it was asked for none.")
    announced = response.headers.get("content-length", "")
    if announced.isdecimal():
        sink.expect(int(announced))
    async for chunk in response.aiter_raw(_CHUNK_BYTES):
        await asyncio.to_thread(sink.write, chunk)
    return Stamp.told(response.headers.get("etag", ""), response.headers.get("last-modified", ""))


def _redirected(reference: Reference, response: httpx.Response) -> Reference:
    target = httpx.URL(str(reference)).join(response.headers["location"]).copy_with(fragment=None)
    try:
        return parse_reference(str(target))
    except Malformed:
        raise SourceFailed("The source redirects to what is no address of a source.") from None


def _allowed(sources: Sequence[Source], reference: Reference) -> Source:
    if reference.scheme == "s3":
        raise SourceFailed("The source redirects to what is no address of a source.")
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
    """Translate what httpx, aiohttp and the sockets below them raise."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError, ValueError) as error:
        causes = list(_causes(error))
        if any(isinstance(cause, _NotAllowedError) for cause in causes):
            raise SourceNotAllowed("The source's host has no public address.") from error
        if isinstance(error, TimeoutError) or any(isinstance(cause, TimeoutError) for cause in causes):
            raise SourceLate("The source does not answer in time.") from error
        raise SourceFailed("The source does not answer, or not as HTTP wants it.") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
