"""A folder of a bucket: the calls that Darkroom makes, and the border at which foreign errors are translated.

A circuit breaker blocks calls while the store is out. A look-up waits for the head of its answer for a short time and
makes one attempt, as its caller can do without. A call that its caller cancels after a long wait is a failure for the
breaker too, so a store that accepts connections and never answers opens it.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import IO, TYPE_CHECKING

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from proxy.adapters.circuit_breaker import CircuitBreaker
from proxy.adapters.s3.client import is_outage, status_of, with_retry
from proxy.core.errors import DarkroomError, Unavailable

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

_CALL_DEADLINE_S = 60.0
"""Of a whole call, as a body that trickles never meets the read time-out; requests end sooner by themselves."""
_LOOK_UP_S = 0.75
"""For the head of a look-up's answer: S3 takes 20 to 200 ms, and a render takes less than this."""
_FETCH_S = 4.0
"""For the head of an original's answer, both attempts together: less than half of a request's deadline, so that a store
that hangs is reported as such (503) and not as a request that was too slow (504)."""
_PING_DEADLINE_S = 3.0
_CONFLICT_ATTEMPTS = 3
"""How often a put is tried that another put of the same name interferes with (409)."""
_CONFLICT_PAUSE_S = 0.1
BATCH = 1_000
"""Objects that one listing returns and one DeleteObjects takes, at most: S3's own limits."""
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED = 403, 404, 409, 412
_DENIED = (
    "The picture store denies access. Its credentials need s3:GetObject, s3:PutObject, s3:DeleteObject, and "
    "s3:ListBucket on the bucket: without the last S3 answers 403 for an object that does not exist."
)


class Bucket:
    """One folder of a bucket. All methods but `call` and `ping` are called within `call`."""

    def __init__(
        self, client: "S3Client", bucket: str, prefix: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._clock = clock
        self._breaker = CircuitBreaker(clock)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Make calls inside. Raise Unavailable if they fail, or at once while the store is known to be out."""
        if not self._breaker.admit():
            raise Unavailable("The picture store does not respond.")
        async with self._translate_errors(_CALL_DEADLINE_S):
            yield

    async def look_up(self, name: str) -> "GetObjectOutputTypeDef | None":
        """Return an object with its body still to be read, or None: one attempt, and a short wait."""
        async with self._answer_within(_LOOK_UP_S):
            return await self._get(name)

    async def fetch(self, name: str) -> "GetObjectOutputTypeDef | None":
        """Return an object with its body still to be read, or None: two attempts."""
        async with self._answer_within(_FETCH_S):
            return await with_retry(partial(self._get, name))

    async def put(self, name: str, body: IO[bytes], *, digest: bytes, media_type: str, labels: dict[str, str]) -> bool:
        """Write an object unless there is one. Return whether it is new."""
        for attempts_left in reversed(range(_CONFLICT_ATTEMPTS)):
            try:
                await self._put(name, body, digest, media_type, labels, IfNoneMatch="*")
            except ClientError as error:
                if status_of(error) == _PRECONDITION_FAILED:
                    return False
                if status_of(error) != _CONFLICT or not attempts_left:
                    raise
                await asyncio.sleep(_CONFLICT_PAUSE_S)
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

    async def replace(
        self, name: str, body: IO[bytes], *, digest: bytes, media_type: str, labels: dict[str, str]
    ) -> None:
        """Write an object, whether or not there is one."""
        await self._put(name, body, digest, media_type, labels)

    async def put_mutable(self, name: str, body: bytes) -> None:
        """Write a small object that may change, whether or not there is one."""
        put = partial(self._client.put_object, Bucket=self._bucket, Key=self._key(name), Body=body)
        await with_retry(partial(put, CacheControl="no-store"))

    async def contains(self, name: str) -> bool:
        """Return whether there is an object."""
        try:
            await with_retry(partial(self._client.head_object, Bucket=self._bucket, Key=self._key(name)))
        except ClientError as error:
            if status_of(error) == _NOT_FOUND:
                return False
            raise
        return True

    async def delete(self, name: str) -> None:
        """Delete an object, if there is one."""
        await self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    async def delete_batch(self, names: Iterable[str]) -> None:
        """Delete at most `BATCH` objects in one request. Raise Unavailable if the store deletes only some of them."""
        objects = [{"Key": self._key(name)} for name in names]
        delete = {"Objects": objects, "Quiet": True}
        answer = await with_retry(partial(self._client.delete_objects, Bucket=self._bucket, Delete=delete))  # type: ignore[arg-type]
        if errors := answer.get("Errors"):
            raise Unavailable(f"The picture store did not delete {len(errors)} of {len(objects)} objects.")

    async def list_objects(self, prefix: str, after: str = "") -> list[tuple[str, int]]:
        """Return the first `BATCH` objects in a folder whose names come after `after`: names and sizes in bytes."""
        listing = partial(self._client.list_objects_v2, Bucket=self._bucket, Prefix=self._within(prefix), MaxKeys=BATCH)
        answer = await with_retry(partial(listing, StartAfter=self._key(after) if after else ""))
        return [(self._name(item["Key"]), item["Size"]) for item in answer.get("Contents", ())]

    async def list_folders(self, prefix: str, after: str = "") -> list[str]:
        """Return the names of at most `BATCH` folders directly in a folder, those that come after `after`."""
        within = self._within(prefix)
        listing = partial(self._client.list_objects_v2, Bucket=self._bucket, Prefix=within, Delimiter="/")
        # "0" is the character after "/": what is inside the folder `after` is passed over
        answer = await with_retry(partial(listing, StartAfter=f"{within}{after}0" if after else "", MaxKeys=BATCH))
        return [item["Prefix"].removeprefix(within).rstrip("/") for item in answer.get("CommonPrefixes", ())]

    async def presign_post(self, name: str, size_bytes: int, lifetime_s: int) -> tuple[str, dict[str, str]]:
        """Return address and fields of a form that writes an object of exactly `size_bytes`; needs no answer."""
        exact = ["content-length-range", size_bytes, size_bytes]
        answer = await self._client.generate_presigned_post(
            self._bucket, self._key(name), Conditions=[exact], ExpiresIn=lifetime_s
        )
        return answer["url"], answer["fields"]

    async def ping(self) -> None:
        """Return if the bucket answers. Calls even while the breaker is open, and closes it."""
        async with self._translate_errors(_PING_DEADLINE_S):
            await self._client.head_bucket(Bucket=self._bucket)

    async def _get(self, name: str) -> "GetObjectOutputTypeDef | None":
        try:
            return await self._client.get_object(Bucket=self._bucket, Key=self._key(name))
        except self._client.exceptions.NoSuchKey:
            return None

    async def _put(
        self, name: str, body: IO[bytes], digest: bytes, media_type: str, labels: dict[str, str], **conditions: str
    ) -> None:
        async def send() -> None:
            body.seek(0)
            await self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(name),
                Body=body,
                ContentType=media_type,
                CacheControl="public, max-age=31536000, immutable",
                ChecksumSHA256=b64encode(digest).decode(),
                Metadata=labels,
                **conditions,  # type: ignore[arg-type]
            )

        await with_retry(send)

    @asynccontextmanager
    async def _answer_within(self, deadline_s: float) -> AsyncIterator[None]:
        """Bound the wait for the head of an answer, and report to the breaker if the caller does not wait as long."""
        started_s = self._clock()
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except asyncio.CancelledError:
            self._breaker.record_cancellation(self._clock() - started_s)
            raise

    @asynccontextmanager
    async def _translate_errors(self, deadline_s: float) -> AsyncIterator[None]:
        """Translate what botocore, aiohttp and the clock raise, and report to the breaker."""
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except DarkroomError:
            self._breaker.record_success()
            raise
        except ClientError as error:
            (self._breaker.record_failure if is_outage(error) else self._breaker.record_success)()
            denied = status_of(error) == _FORBIDDEN
            raise Unavailable(_DENIED if denied else "The picture store rejects the request.") from error
        except (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError) as error:
            self._breaker.record_failure()
            raise Unavailable("The picture store does not respond.") from error
        self._breaker.record_success()

    def _key(self, name: str) -> str:
        return joined(self._prefix, name)

    def _within(self, prefix: str) -> str:
        """Return what the keys in a folder begin with; "" if the folder is the whole bucket."""
        return f"{key}/" if (key := self._key(prefix)) else ""

    def _name(self, key: str) -> str:
        return key.removeprefix(f"{self._prefix}/") if self._prefix else key


def joined(*parts: str) -> str:
    """Return the key of these parts, without the empty ones."""
    return "/".join(filter(None, parts))
