"""A folder of a bucket: the calls that Darkroom makes, and the border at which their errors become ours.

boto's own retries stay within a request's deadline, and a breaker spares the calls while the store is out.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from proxy.adapters.circuit_breaker import CircuitBreaker
from proxy.core.errors import DarkroomError, Unavailable

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 5.0
_CALL_DEADLINE_S = 60.0
"""Of a whole call, as a body that trickles never meets the read time-out; requests end sooner by themselves."""
_PING_DEADLINE_S = 3.0
_ATTEMPTS = 2
_CONFLICTS = 3
"""How often a put is tried that another put of the same name got in the way of (409)."""
_CONFLICT_PAUSE_S = 0.1
_LISTED = 256
"""Objects that one step of a purge deletes, at once: as many calls as connections wait for each other."""
_NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED, _TOO_MANY, _SERVER_ERROR = 404, 409, 412, 429, 500


@asynccontextmanager
async def open_s3(
    region: str, endpoint_url: str = "", access_key_id: str = "", secret_access_key: str = ""
) -> "AsyncIterator[S3Client]":
    """Open the one client of this process (a new one costs 50 ms); without a key the SDK searches for one."""
    config = AioConfig(
        max_pool_connections=64,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # other makers may not know x-amz-checksum-sha256; all check the payload's hash in the signature
        s3={"addressing_style": "path", "payload_signing_enabled": True} if endpoint_url else None,
    )
    session = aioboto3.Session(access_key_id or None, secret_access_key or None, region_name=region)
    async with session.client("s3", endpoint_url=endpoint_url or None, config=config) as client:
        yield client


class Bucket:
    """One folder of a bucket, and the border at which its errors become ours."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._breaker = CircuitBreaker(time.monotonic)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Make calls inside, unless the store is known to be out; Unavailable when it fails them."""
        if not self._breaker.admit():
            raise Unavailable("The picture store does not answer.")
        async with self._border(_CALL_DEADLINE_S):
            yield

    async def find(self, name: str) -> "GetObjectOutputTypeDef | None":
        """Ask for an object; None when there is none. Its body has still to be read."""
        try:
            return await self._client.get_object(Bucket=self._bucket, Key=joined(self._prefix, name))
        except self._client.exceptions.NoSuchKey:
            return None

    async def put(self, name: str, body: IO[bytes], *, digest: bytes, media_type: str, labels: dict[str, str]) -> bool:
        """Write an object unless there is one; True when it is new. None ever changes, and its headers say so."""
        tries_left = _CONFLICTS
        while True:
            tries_left -= 1
            try:
                await self._client.put_object(
                    Bucket=self._bucket,
                    Key=joined(self._prefix, name),
                    Body=body,
                    ContentType=media_type,
                    CacheControl="public, max-age=31536000, immutable",
                    ChecksumSHA256=b64encode(digest).decode(),
                    IfNoneMatch="*",
                    Metadata=labels,
                )
            except ClientError as error:
                if _status(error) == _PRECONDITION_FAILED:
                    return False
                if _status(error) != _CONFLICT or not tries_left:
                    raise
                await asyncio.sleep(_CONFLICT_PAUSE_S)
                body.seek(0)
            else:
                return True

    async def replace(self, name: str, body: bytes) -> None:
        """Write an object, whether or not there is one."""
        await self._client.put_object(
            Bucket=self._bucket, Key=joined(self._prefix, name), Body=body, CacheControl="no-store"
        )

    async def delete(self, name: str) -> None:
        """Delete an object, if there is one."""
        await self._client.delete_object(Bucket=self._bucket, Key=joined(self._prefix, name))

    async def list_keys(self, prefix: str) -> list[str]:
        """Name the first objects below a prefix, at most `_LISTED` of them."""
        within = joined(self._prefix, prefix)
        found = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=within, MaxKeys=_LISTED)
        return [one["Key"].removeprefix(self._prefix).lstrip("/") for one in found.get("Contents", ())]

    async def folders(self) -> list[str]:
        """Return the names of the folders at the top, each with its slash."""
        within = f"{self._prefix}/" if self._prefix else ""
        found = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=within, Delimiter="/")
        return [one["Prefix"].removeprefix(within) for one in found.get("CommonPrefixes", ())]

    async def ping(self) -> None:
        """Return when the bucket answers; asks even while the breaker is open, and closes it."""
        async with self._border(_PING_DEADLINE_S):
            await self._client.head_bucket(Bucket=self._bucket)

    @asynccontextmanager
    async def _border(self, deadline_s: float) -> AsyncIterator[None]:
        """Translate what botocore, aiohttp and the clock raise, and tell the breaker."""
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except DarkroomError:
            self._breaker.succeeded()
            raise
        except ClientError as error:
            # other 4xx are about this call (no bucket, no permission): the store answers
            out = _status(error) >= _SERVER_ERROR or _status(error) == _TOO_MANY
            (self._breaker.failed if out else self._breaker.succeeded)()
            raise Unavailable("The picture store refuses.") from error
        except (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError) as error:
            self._breaker.failed()
            raise Unavailable("The picture store does not answer.") from error
        self._breaker.succeeded()


def joined(*parts: str) -> str:
    """Give a key of these parts, leaving empty ones out."""
    return "/".join(filter(None, parts))


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
