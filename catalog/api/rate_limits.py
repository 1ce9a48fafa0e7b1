"""Rate limits: per token and per tenant, by class of request, in memory or in Redis (library `limits`).

The fields `RateLimit-Policy` and `RateLimit` follow the IETF draft (draft-ietf-httpapi-ratelimit-headers-11). If Redis
does not answer, requests are let through: a limit protects the service, it is not a reason to be out.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool

from catalog.core.api_errors import RateLimited
from catalog.core.errors import Misconfigured
from catalog.core.roles import Principal

WINDOW_S = 60
_STORE_DEADLINE_S = 0.25
_REDIS_OPTIONS: Any = {"socket_timeout": _STORE_DEADLINE_S, "socket_connect_timeout": _STORE_DEADLINE_S, "retry": None}


class RequestClass(Enum):
    """Class of a request, by what it costs."""

    READ = "read"
    WRITE = "write"
    UPLOAD = "upload"
    RENDER = "render"


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests per minute of one class, for one token and for all of a tenant together."""

    per_token: int
    per_tenant: int


DEFAULT_QUOTAS: Mapping[RequestClass, Quota] = {
    RequestClass.READ: Quota(1_200, 6_000),
    RequestClass.WRITE: Quota(600, 3_000),
    RequestClass.UPLOAD: Quota(300, 1_500),
    RequestClass.RENDER: Quota(300, 1_500),
}


_QUOTA = re.compile(r"(read|write|upload|render)=([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


def read_quotas(text: str) -> Mapping[RequestClass, Quota]:
    """Return the quotas of `read=1200/6000,upload=300/1500`; classes that are left out have their default.

    Raise Misconfigured.
    """
    quotas = dict(DEFAULT_QUOTAS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        if not (match := _QUOTA.fullmatch(part)):
            raise Misconfigured(
                f"DARKROOM_API_RATES: {part[:80]!r} is not a limit; write class=token/tenant in requests per minute, "
                "such as read=1200/6000; the classes are read, write, upload and render"
            )
        quotas[RequestClass(match[1])] = Quota(int(match[2]), int(match[3]))
    return quotas


class RateLimiter:
    """Counts requests. With `redis_url`, all nodes count together."""

    def __init__(self, quotas: Mapping[RequestClass, Quota] = DEFAULT_QUOTAS, redis_url: str = "") -> None:
        self._quotas = quotas
        self._pool = ConnectionPool.from_url(redis_url, **_REDIS_OPTIONS) if redis_url else None
        storage: Storage = MemoryStorage() if self._pool is None else _on_redis(redis_url, self._pool)
        self._window = SlidingWindowCounterRateLimiter(storage)

    async def count(self, principal: Principal, request_class: RequestClass) -> dict[str, str]:
        """Count one request and return the header fields that tell what is left. Raise RateLimited beyond a quota."""
        quota = self._quotas[request_class]
        parties = ((quota.per_token, principal.subject), (quota.per_tenant, f"tenant:{principal.tenant}"))
        fields: dict[str, str] = {}
        for amount, party in parties:
            item = RateLimitItemPerMinute(amount, 1, namespace="darkroom")
            try:
                async with asyncio.timeout(_STORE_DEADLINE_S):
                    allowed = await self._window.hit(item, request_class.value, party)
                    fields = fields or await self._fields(item, request_class, party)
                    exhausted = None if allowed else await self._exhausted(item, request_class, party)
            except Exception:  # noqa: BLE001 - whatever the store raises: the request goes on
                return fields
            if exhausted is not None:
                raise RateLimited(request_class.value, *exhausted)
        return fields

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.disconnect()

    async def _fields(self, item: RateLimitItem, request_class: RequestClass, party: str) -> dict[str, str]:
        stats = await self._window.get_window_stats(item, request_class.value, party)
        name, reset_s = request_class.value, max(1, round(stats.reset_time - time.time()))
        return {
            "ratelimit-policy": f'"{name}";q={item.amount};w={WINDOW_S}',
            "ratelimit": f'"{name}";r={max(0, stats.remaining)};t={reset_s}',
        }

    async def _exhausted(
        self, item: RateLimitItem, request_class: RequestClass, party: str
    ) -> tuple[int, dict[str, str]]:
        """Return in how many seconds to try again, and the fields of the quota that is used up."""
        stats = await self._window.get_window_stats(item, request_class.value, party)
        wait_s = max(1, min(WINDOW_S, round(stats.reset_time - time.time())))
        return wait_s, await self._fields(item, request_class, party)


def _on_redis(url: str, pool: ConnectionPool) -> Storage:
    options: Any = {"connection_pool": pool}
    return RedisStorage(f"async+{url}", implementation="redispy", **options)
