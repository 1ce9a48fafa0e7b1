"""Hot derivatives in Redis, shared by all nodes.

A cache that is slower than doing without is worse than none: redis-py's own retries make a GET take seconds
when Redis is down. So there are none here, a call as a whole ends within `_DEADLINE_S`, and a breaker spares
the calls while Redis is out.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from proxy.adapters.circuit_breaker import CircuitBreaker
from proxy.adapters.serialization import pack, unpack
from proxy.core.errors import Unavailable
from proxy.core.identifiers import DerivativeKey, TenantName, derivative_key, tenant_name
from proxy.core.media.derivative import Derivative

_PREFIX = "darkroom:d:"
_CONNECTIONS = 32
_SCANNED = 1_000
"""Keys that one step of a purge looks at."""
_SOCKET_TIMEOUT_S = 0.25
_DEADLINE_S = 0.3
"""Of a whole call: waiting for a connection, connecting, asking and reading."""


class RedisDerivatives:
    """Bodies up to `max_body_bytes`, each for `ttl_s` seconds; close it at the end."""

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
        """Give what was put, if it is still there; a damaged value is deleted, to make room for a whole one."""
        name = _PREFIX + derivative_key(key)
        async with self._call():
            value = await self._redis.get(name)
            if not isinstance(value, bytes):
                return None
            try:
                return unpack(value)
            except ValueError:
                await self._redis.delete(name)
                return None

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Keep a derivative unless there is one; a large body is declined."""
        if len(derivative.body) > self._max_body_bytes:
            return
        async with self._call():
            await self._redis.set(_PREFIX + derivative_key(key), pack(derivative), nx=True, ex=self._ttl_s)

    async def purge(self, tenant: TenantName) -> int:
        """Forget a tenant's derivatives: SCAN, which blocks nobody, and UNLINK."""
        pattern = f"{_PREFIX}*/{tenant_name(tenant)}/*"
        gone = cursor = 0
        while True:
            async with self._call():
                cursor, names = await self._redis.scan(cursor, match=pattern, count=_SCANNED)
                gone += await self._redis.unlink(*names) if names else 0
            if not cursor:
                return gone

    async def ping(self) -> None:
        """Return when Redis answers; asks even while the breaker is open, and closes it."""
        async with self._border():
            await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        if not self._breaker.admit():
            raise Unavailable("The shared cache does not answer.")
        async with self._border():
            yield

    @asynccontextmanager
    async def _border(self) -> AsyncIterator[None]:
        """Translate what Redis, its connection and the clock raise, and tell the breaker."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                yield
        except ResponseError as error:
            # out of memory, read-only, no permission: it answers, so other commands may do
            self._breaker.succeeded()
            raise Unavailable("The shared cache refuses.") from error
        except (RedisError, OSError) as error:
            self._breaker.failed()
            raise Unavailable("The shared cache does not answer.") from error
        self._breaker.succeeded()
