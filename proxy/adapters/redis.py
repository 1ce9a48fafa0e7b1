"""Hot derivatives in Redis, shared by all nodes.

A cache that is slower than a render is worse than none: redis-py's own retries make a GET take seconds when Redis is
down. So there are none here, a call as a whole ends within `_DEADLINE_S`, and a circuit breaker blocks calls while
Redis is out.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from proxy.adapters import offload
from proxy.adapters.circuit_breaker import CircuitBreaker
from proxy.adapters.serialization import deserialize, serialize
from proxy.core.errors import Unavailable
from proxy.core.identifiers import (
    DerivativeKey,
    Digest,
    TenantName,
    derivative_key,
    digest_name,
    split_derivative_key,
    tenant_name,
)
from proxy.core.media.derivative import Derivative

_PREFIX = "darkroom:d:"
_CONNECTIONS = 32
_SCAN_COUNT = 1_000
"""Keys that one step of a purge inspects."""
_SOCKET_TIMEOUT_S = 0.25
_DEADLINE_S = 0.3
"""Of a whole call: waiting for a connection, connecting, sending and receiving."""


class RedisDerivatives:
    """Bodies up to `max_body_bytes`, each for `ttl_s` seconds. Close it at the end."""

    name = "redis"

    def __init__(self, url: str, max_body_bytes: int, ttl_s: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._ttl_s = ttl_s
        self._breaker = CircuitBreaker(time.monotonic)
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_SOCKET_TIMEOUT_S,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            client_name="darkroom",
        )
        self._redis: Redis = Redis.from_pool(pool)

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what was put, if it has not expired. A damaged value is deleted, to make room for a whole one."""
        name = _PREFIX + derivative_key(key)
        async with self._call():
            value = await self._redis.get(name)
        if not isinstance(value, bytes):
            return None
        try:
            return await offload.run(len(value), partial(deserialize, key, value))
        except ValueError:
            async with self._call():
                await self._redis.delete(name)
            return None

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative unless there is one. Decline a large body."""
        if len(derivative.body) > self._max_body_bytes:
            return
        value = await offload.run(len(derivative.body), partial(serialize, key, derivative))
        async with self._call():
            await self._redis.set(_PREFIX + derivative_key(key), value, nx=True, ex=self._ttl_s)

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete the derivatives of a tenant, or of one of its originals: SCAN, which blocks nobody, and UNLINK.

        SCAN inspects every key of the database. An index (a set of keys for each original) would make a purge cheaper,
        and every put dearer by a command and by memory that outlives the values, which expire within `ttl_s`. Purges
        are rare and wait for no request, so they pay: a million keys are a thousand steps.
        """
        tenant, original = tenant_name(tenant), original and digest_name(original)
        pattern = f"{_PREFIX}*/{tenant}/*/{original}/*" if original else f"{_PREFIX}*/{tenant}/*"
        count = cursor = 0
        while True:
            async with self._call():
                cursor, names = await self._redis.scan(cursor, match=pattern, count=_SCAN_COUNT)
                # `*` matches slashes too, and a tenant may have a name that is another key's shard
                stale = [name for name in names if _belongs_to(name, tenant, original)]
                count += await self._redis.unlink(*stale) if stale else 0
            if not cursor:
                return count

    async def ping(self) -> None:
        """Return if Redis answers. Calls even while the breaker is open, and closes it."""
        async with self._translate_errors():
            await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        if not self._breaker.admit():
            raise Unavailable("The shared cache does not respond.")
        async with self._translate_errors():
            yield

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        """Translate what Redis, its connection and the clock raise, and report to the breaker."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                yield
        except ResponseError as error:
            # out of memory, read-only, no permission: Redis answers, so other commands may succeed
            self._breaker.record_success()
            raise Unavailable("The shared cache rejects the command.") from error
        except (RedisError, OSError) as error:
            self._breaker.record_failure()
            raise Unavailable("The shared cache does not respond.") from error
        self._breaker.record_success()


def _belongs_to(name: bytes | str, tenant: TenantName, original: Digest | None) -> bool:
    text = name.decode() if isinstance(name, bytes) else name
    try:
        return split_derivative_key(text.removeprefix(_PREFIX)).belongs_to(tenant, original)
    except ValueError:
        return False
