"""Health endpoints: `/healthz`, `/readyz`, `/metrics`.

A process is ready if it can make and serve pictures: workers are up, the queue moves, background tasks run. The store,
the derivative cache and the database are shared by all nodes: if one is out it is reported as degraded, because taking
every node out of the load balancer would also end what memory and the other tiers can still serve.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proxy.core.errors import Unavailable
from proxy.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[None]]
"""Returns if all is well; raises Unavailable with what is wrong."""

_CHECK_S = 2.0
_CACHED_S = 1.0
_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Health:
    """Runs checks by name. A `required` check that fails makes the process not ready, an `optional` one degraded.

    Results are used for one second, so that requests for `/readyz` cannot load the backends.
    """

    def __init__(
        self,
        metrics: Metrics,
        required: Mapping[str, Check],
        optional: Mapping[str, Check],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._metrics = metrics
        self._required = required
        self._optional = optional
        self._clock = clock
        self._checking = asyncio.Lock()
        self._results: dict[str, str] = {}
        self._expires_at = clock()

    async def healthz(self, _: Request) -> Response:
        """Answer 200: the event loop runs."""
        return Response("ok\n", media_type="text/plain", headers=_NO_STORE)

    async def readyz(self, _: Request) -> Response:
        """Answer 200 with the status `ready` or `degraded`, or 503 with `not ready`, and the result of each check."""
        results = await self._check_all()
        ready = all(results[name] == "ok" for name in self._required)
        degraded = any(results[name] != "ok" for name in self._optional)
        status = "not ready" if not ready else "degraded" if degraded else "ready"
        return JSONResponse({"status": status, "checks": results}, 200 if ready else 503, _NO_STORE)

    async def metrics(self, _: Request) -> Response:
        """Answer with all metrics in Prometheus' text format."""
        body = await asyncio.to_thread(generate_latest, self._metrics.snapshot())
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST, **_NO_STORE})

    async def _check_all(self) -> dict[str, str]:
        async with self._checking:
            if self._clock() >= self._expires_at or not self._results:
                checks = {**self._required, **self._optional}
                results = await asyncio.gather(*(_run(check) for check in checks.values()))
                self._results = dict(zip(checks, results, strict=True))
                self._expires_at = self._clock() + _CACHED_S
            return self._results


async def _run(check: Check) -> str:
    """Run a check within its time; return "ok" or what is wrong."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except TimeoutError:
        return f"no answer within {_CHECK_S:g} seconds"
    except Unavailable as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that failed
        return f"the check failed: {type(error).__name__}"
    return "ok"
