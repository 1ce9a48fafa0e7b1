"""The S3 client: its options, its signatures, and which of its errors are worth a second attempt.

The SDK's own retries are off: they wait up to a second before the second attempt, for look-ups as well, which cost less
if they fail at once. What is worth a second attempt makes it through `with_retry`.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import aioboto3
import botocore
from aiobotocore.config import AioConfig
from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver
    from types_aiobotocore_s3.client import S3Client

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 4.0
"""Two attempts that meet it end before the 10 seconds that a write behind the reply may take, and count as failed."""
_RETRY_PAUSE_S = 0.1
_TOO_MANY, _SERVER_ERROR = 429, 500
_CHECKSUM_HEADER = "x-amz-checksum-sha256"
_SIGNATURE, _OUR_SIGNATURE = "s3v4", "darkroom-s3v4"
_FORM_SIGNATURE = "s3v4-presign-post"

_T = TypeVar("_T")


@asynccontextmanager
async def open_s3(  # noqa: PLR0913 - all of them are options of the client
    region: str,
    endpoint_url: str = "",
    access_key_id: str = "",
    secret_access_key: str = "",
    *,
    unsigned: bool = False,
    resolver: "AbstractResolver | None" = None,
) -> "AsyncIterator[S3Client]":
    """Open a client, which costs 50 ms: one per process and set of credentials.

    Without an access key the SDK searches for credentials of the machine, unless requests are `unsigned`. `resolver`
    resolves the names of hosts instead of the system.
    """
    config = AioConfig(
        connector_args={"resolver": resolver} if resolver else None,
        max_pool_connections=64,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        signature_version=botocore.UNSIGNED if unsigned else None,
        # other makers may not know x-amz-checksum-sha256; all check the payload's hash in the signature
        s3={"addressing_style": "path", "payload_signing_enabled": True} if endpoint_url else None,
    )
    session = aioboto3.Session(access_key_id or None, secret_access_key or None, region_name=region)
    async with session.client("s3", endpoint_url=endpoint_url or None, config=config) as client:
        client.meta.events.register_first("choose-signer.s3.PutObject", _choose_signer)  # type: ignore[arg-type]
        yield client


async def with_retry(call: Callable[[], Awaitable[_T]]) -> _T:
    """Return `await call()`; call it a second time if the first attempt fails for a reason that may pass."""
    try:
        return await call()
    except ClientError as error:
        if not is_outage(error):
            raise
    except BotoCoreError:
        pass
    await asyncio.sleep(_RETRY_PAUSE_S)
    return await call()


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an error response."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR))


def is_outage(error: ClientError) -> bool:
    """Return whether the server reports that it cannot serve now; other errors are about the request."""
    return status_of(error) >= _SERVER_ERROR or status_of(error) == _TOO_MANY


class _KnownPayloadAuth(S3SigV4Auth):
    """Signature version 4 that takes the payload's SHA-256 from `x-amz-checksum-sha256`.

    The SDK reads and hashes the whole body on the event loop. Its SHA-256 is known: the checksum header states it, and
    the server checks both against the body.
    """

    def payload(self, request: AWSRequest) -> str:
        """Return the hash that is signed, in hex."""
        checksum = request.headers.get(_CHECKSUM_HEADER)
        return b64decode(checksum).hex() if checksum else str(super().payload(request))


AUTH_TYPE_MAPS[_OUR_SIGNATURE] = _KnownPayloadAuth


def _choose_signer(signature_version: object, **_: object) -> str | None:
    """Handle botocore's event `choose-signer`; None leaves its choice (unsigned)."""
    if signature_version in {_FORM_SIGNATURE, "v4-presign-post"}:
        return _FORM_SIGNATURE  # botocore would sign forms by version 2, which AWS no longer accepts for new buckets
    return _OUR_SIGNATURE if signature_version in {_SIGNATURE, "v4"} else None
