"""Sources in S3: `s3://bucket/key`, each opened with its source's own credentials.

A source's credentials are one of

* `access_key_id` and `secret_access_key`;
* `credentials=machine`: what the AWS SDK finds on this machine. These may open more than the tenant should see, so they
  are used only where the source names them, and never for the bucket in which this installation stores its originals;
* `credentials=none`: unsigned requests, for a public bucket.

`region` and, for other makers than AWS, `endpoint_url` go with each. An endpoint is judged as HTTP sources are: its
host's addresses have to be public, unless the installation allows private ones.

There is one client for each set of credentials, as a new one costs 50 ms; the least recently used are closed when there
are too many. Clients are opened independently of each other: a search for the machine's credentials may take seconds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from proxy.adapters.name_resolver import NameResolver, NoPublicAddressError, resolving_for
from proxy.adapters.s3.client import open_s3, status_of, with_retry
from proxy.core.errors import SourceFailed, SourceNotAllowed, SourceNotFound
from proxy.core.url.public_addresses import is_public
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, find_source
from proxy.ports import Sink

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

_CLIENTS = 16
_CHUNK_BYTES = 2**18
_NOT_MODIFIED, _NOT_FOUND = 304, 404
_REGION = "us-east-1"
_MACHINE, _UNSIGNED = "machine", "none"
_PRIVATE_ENDPOINT = "The source's endpoint has no public address."

_Credentials = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _OpenClient:
    """A client, from when it is first wanted: None until it is open."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    client: "S3Client | None" = None
    users: int = 0


class S3Sources:
    """`s3://` references; at most `max_clients` clients, and those in use. Close it at the end.

    `allowed` judges the addresses of endpoints; `store_bucket` is the bucket that machine credentials do not open.
    """

    def __init__(
        self, max_clients: int = _CLIENTS, allowed: Callable[[str], bool] = is_public, store_bucket: str = ""
    ) -> None:
        self._max_clients = max_clients
        self._allowed = allowed
        self._resolver = NameResolver(allowed)
        self._store_bucket = store_bucket
        self._clients: OrderedDict[_Credentials, _OpenClient] = OrderedDict()

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        source = find_source(sources, reference)
        credentials = dict(source.credentials)
        self._check_credentials(reference, credentials)
        self._check_endpoint(credentials.get("endpoint_url", ""))
        with _translate_errors(), resolving_for(tuple(allowed.prefix for allowed in sources)):
            async with self._client(source.credentials) as client:
                return await _get(client, reference, known, sink)

    async def close(self) -> None:
        """Close all clients."""
        while self._clients:
            await self._clients.popitem()[1].closing.aclose()
        await self._resolver.close()

    def _check_credentials(self, reference: Reference, credentials: Mapping[str, str]) -> None:
        mode = credentials.get("credentials", "")
        if mode == _MACHINE and reference.authority == self._store_bucket:
            raise SourceNotAllowed(
                "This bucket holds the originals of this installation. Machine credentials cannot open it as a source; "
                "specify an access_key_id and a secret_access_key of the tenant's own."
            )
        if "access_key_id" not in credentials and mode not in {_MACHINE, _UNSIGNED}:
            raise SourceNotAllowed(
                "The S3 source has no credentials. Specify access_key_id and secret_access_key, credentials=machine "
                "for those of this machine, or credentials=none for a public bucket."
            )

    def _check_endpoint(self, endpoint_url: str) -> None:
        """Judge an endpoint that is an address; one that is a name is judged by the client's resolver."""
        host = urlsplit(endpoint_url).hostname or ""
        if _is_address(host) and not self._allowed(host):
            raise SourceNotAllowed(_PRIVATE_ENDPOINT)

    @asynccontextmanager
    async def _client(self, credentials: _Credentials) -> "AsyncIterator[S3Client]":
        entry = self._clients.setdefault(credentials, _OpenClient())
        self._clients.move_to_end(credentials)
        entry.users += 1
        try:
            async with entry.opening:
                if entry.client is None:
                    entry.client = await self._open(entry.closing, dict(credentials))
            yield entry.client
        finally:
            entry.users -= 1
            await self._close_idle()

    async def _open(self, closing: AsyncExitStack, credentials: Mapping[str, str]) -> "S3Client":
        endpoint_url = credentials.get("endpoint_url", "")
        return await closing.enter_async_context(
            open_s3(
                credentials.get("region", _REGION),
                endpoint_url,
                credentials.get("access_key_id", ""),
                credentials.get("secret_access_key", ""),
                unsigned=credentials.get("credentials") == _UNSIGNED,
                # not for AWS's own names: in a network with an interface endpoint they lead to a private address
                resolver=self._resolver if endpoint_url else None,
            )
        )

    async def _close_idle(self) -> None:
        """Close the least recently used clients where there are too many."""
        idle = [credentials for credentials, entry in self._clients.items() if not entry.users]
        excess = [self._clients.pop(key) for key in idle[: max(0, len(self._clients) - self._max_clients)]]
        for entry in excess:
            await entry.closing.aclose()


async def _get(client: "S3Client", reference: Reference, known: Validators, sink: Sink) -> Validators | None:
    get = partial(client.get_object, Bucket=reference.authority, Key=reference.key)
    try:
        response = await with_retry(partial(get, IfNoneMatch=known.etag) if known.etag else get)
    except ClientError as error:
        status = status_of(error)
        if status == _NOT_MODIFIED and known.etag:
            return None
        if status == _NOT_FOUND:
            raise SourceNotFound("The source answered 404: there is no such object.") from error
        raise SourceFailed(f"The source answered {status}.") from error
    size_bytes = response["ContentLength"]
    body = response["Body"]
    async with body:
        sink.expect(size_bytes)
        async for chunk in body.iter_chunks(_CHUNK_BYTES):
            await sink.append(chunk)
    # the stream checks no length
    if sink.size_bytes != size_bytes:
        raise SourceFailed("The source ended its answer early.")
    return Validators.from_headers(response["ETag"])


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate what botocore and aiohttp raise."""
    try:
        yield
    except (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(getattr(error.__context__, "os_error", None), NoPublicAddressError):
            raise SourceNotAllowed(_PRIVATE_ENDPOINT) from error
        raise SourceFailed("The source does not answer, or its answer is not valid S3.") from error
