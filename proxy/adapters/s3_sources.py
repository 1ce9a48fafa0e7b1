"""Sources in S3: `s3://bucket/key`, each opened with its source's own credentials.

A source's credentials are `access_key_id` and `secret_access_key`, `region`, and `endpoint_url` for what is not AWS;
without a key the SDK searches for one of the machine's. There is one client for each credentials, as a new one costs
50 ms; those not used for the longest are closed when there are too many.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from proxy.adapters.bucket import open_s3
from proxy.core.errors import SourceFailed, SourceNotFound
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

_Credentials = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Held:
    client: "S3Client"
    closing: AsyncExitStack
    users: int = 0


class S3Sources:
    """`s3://` references; at most `most_clients` clients, and those in use. Close it at the end."""

    def __init__(self, most_clients: int = _CLIENTS) -> None:
        self._most_clients = most_clients
        self._held: OrderedDict[_Credentials, _Held] = OrderedDict()
        self._changing = asyncio.Lock()

    async def fetch(
        self, reference: Reference, sources: Sequence[Source], known: Validators, sink: Sink
    ) -> Validators | None:
        """See `Sources`."""
        source = find_source(sources, reference)
        with _border():
            async with self._client(source.credentials) as client:
                return await _get(client, reference, known, sink)

    async def close(self) -> None:
        """Close all clients."""
        async with self._changing:
            while self._held:
                await self._held.popitem()[1].closing.aclose()

    @asynccontextmanager
    async def _client(self, credentials: _Credentials) -> "AsyncIterator[S3Client]":
        async with self._changing:
            held = self._held.get(credentials) or await self._open(credentials)
            self._held.move_to_end(credentials)
            held.users += 1
        try:
            yield held.client
        finally:
            held.users -= 1
            await self._close_idle()

    async def _open(self, credentials: _Credentials) -> _Held:
        told = dict(credentials)
        closing = AsyncExitStack()
        client = await closing.enter_async_context(
            open_s3(
                told.get("region", _REGION),
                told.get("endpoint_url", ""),
                told.get("access_key_id", ""),
                told.get("secret_access_key", ""),
            )
        )
        held = self._held[credentials] = _Held(client, closing)
        return held

    async def _close_idle(self) -> None:
        """Close what was not used for the longest, where there are too many."""
        async with self._changing:
            idle = [key for key, held in self._held.items() if not held.users]
            for key in idle[: max(0, len(self._held) - self._most_clients)]:
                await self._held.pop(key).closing.aclose()


async def _get(client: "S3Client", reference: Reference, known: Validators, sink: Sink) -> Validators | None:
    bucket, key = reference.authority, reference.key
    try:
        if known.etag:
            response = await client.get_object(Bucket=bucket, Key=key, IfNoneMatch=known.etag)
        else:
            response = await client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == _NOT_MODIFIED and known.etag:
            return None
        if status == _NOT_FOUND:
            raise SourceNotFound("The source answers 404: there is no such object.") from error
        raise SourceFailed(f"The source answers {status}.") from error
    size_bytes = response["ContentLength"]
    body = response["Body"]
    async with body:
        sink.expect(size_bytes)
        async for chunk in body.iter_chunks(_CHUNK_BYTES):
            await sink.append(chunk)
    # the stream checks no length
    if sink.size_bytes != size_bytes:
        raise SourceFailed("The source ended its answer early.")
    return Validators.told(response["ETag"])


@contextmanager
def _border() -> Iterator[None]:
    """Translate what botocore and aiohttp raise."""
    try:
        yield
    except (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError, ValueError) as error:
        raise SourceFailed("The source does not answer, or not as S3 does.") from error
