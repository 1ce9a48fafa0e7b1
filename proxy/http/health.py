"""Alive, ready, measured: `/healthz`, `/readyz`, `/metrics`.

Ready means that pictures can be made and served: workers stand, the queue moves, the store answers. What pictures can
do without (Redis, the
records, once a tenant is known) is told as degraded and takes no node out: all nodes share it, and none would be left.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proxy.core.errors import Unavailable
from proxy.delivery.admission import AdmissionQueue
from proxy.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[None]]

_CHECK_S = 2.0
_STUCK_S = 15.0
"""Longer than any request may wait: a queue that has not moved for this long will not."""
_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Health:
    """Answers the three; `needed` and `spared` are checks by name."""

    def __init__(
        self, metrics: Metrics, admission: AdmissionQueue, needed: Mapping[str, Check], spared: Mapping[str, Check]
    ) -> None:
        self._metrics = metrics
        self._admission = admission
        self._needed = needed
        self._spared = spared

    async def healthz(self, _: Request) -> Response:
        """Say that the event loop turns."""
        return Response("ok\n", media_type="text/plain", headers=_NO_STORE)

    async def readyz(self, _: Request) -> Response:
        """Check every backend and the queue; 503 when a needed one is out."""
        names = [*self._needed, *self._spared]
        faults = await asyncio.gather(*(_fault(check) for check in (*self._needed.values(), *self._spared.values())))
        told = {name: fault or "ok" for name, fault in zip(names, faults, strict=True)}
        told["queue"] = "stuck" if self._stuck() else "ok"
        ready = all(told[name] == "ok" for name in (*self._needed, "queue"))
        degraded = any(told[name] != "ok" for name in self._spared)
        status = "not ready" if not ready else "degraded" if degraded else "ready"
        return JSONResponse({"status": status, "checks": told}, 200 if ready else 503, _NO_STORE)

    async def metrics(self, _: Request) -> Response:
        """Give all counters as Prometheus reads them."""
        body = await asyncio.to_thread(generate_latest, self._metrics.registry)
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST, **_NO_STORE})

    def _stuck(self) -> bool:
        return self._admission.waiting > 0 and monotonic() - self._admission.moved_at > _STUCK_S


async def _fault(check: Check) -> str | None:
    """Run a check within its time; what is wrong, or None."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except TimeoutError:
        return f"no answer within {_CHECK_S:g} seconds"
    except Unavailable as error:
        return error.detail
    return None
