"""Readiness: what makes a process not ready, what degrades it, and how often backends are asked."""

import json
import re
import threading

from starlette.requests import Request

from proxy.core.errors import Unavailable
from proxy.http.health import Health
from proxy.telemetry.metrics import Metrics

REQUEST = Request({"type": "http"})


class Check:
    """A check that passes until it has an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def readiness(required: Check, optional: Check) -> tuple[int, dict[str, object]]:
    response = await Health(Metrics(), {"workers": required}, {"store": optional}).readyz(REQUEST)
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, json.loads(bytes(response.body))


async def test_all_checks_pass() -> None:
    assert await readiness(Check(), Check()) == (200, {"status": "ready", "checks": {"workers": "ok", "store": "ok"}})


async def test_a_required_check_that_fails_makes_the_process_not_ready() -> None:
    status, document = await readiness(Check(Unavailable("No pixel worker is up.")), Check(Unavailable("out")))
    checks = {"workers": "No pixel worker is up.", "store": "out"}
    assert (status, document) == (503, {"status": "not ready", "checks": checks})


async def test_an_optional_check_that_fails_degrades() -> None:
    status, document = await readiness(Check(), Check(Unavailable("S3 does not answer.")))
    assert (status, document["status"]) == (200, "degraded")
    assert document["checks"] == {"workers": "ok", "store": "S3 does not answer."}


async def test_a_check_that_breaks_has_failed_and_its_text_is_not_shown() -> None:
    status, document = await readiness(Check(RuntimeError("a password")), Check())
    assert (status, document["status"]) == (503, "not ready")
    assert document["checks"] == {"workers": "the check failed: RuntimeError", "store": "ok"}


async def test_results_are_used_for_a_second() -> None:
    check, clock = Check(), Clock()
    health = Health(Metrics(), {"workers": check}, {}, clock)
    for _ in range(5):
        assert (await health.readyz(REQUEST)).status_code == 200
    assert check.runs == 1
    check.error = Unavailable("out")
    clock.now_s += 0.9
    assert (await health.readyz(REQUEST)).status_code == 200
    clock.now_s += 0.2
    assert (await health.readyz(REQUEST)).status_code == 503
    assert check.runs == 2


async def test_metrics_and_liveness_answer_whatever_the_checks_say() -> None:
    health = Health(Metrics(), {"workers": Check(Unavailable("out"))}, {})
    assert (await health.healthz(REQUEST)).body == b"ok\n"
    response = await health.metrics(REQUEST)
    assert b"darkroom_sent_bytes_total 0.0" in bytes(response.body)
    assert response.headers["content-type"].startswith("text/plain; version=")


async def test_values_are_read_by_the_event_loop_and_not_beside_it() -> None:
    """Dictionaries grow on the event loop: a thread that iterates them raises now and then."""
    metrics = Metrics()
    metrics.gauge("darkroom_thread", "The thread that reads.", threading.get_ident)
    response = await Health(metrics, {}, {}).metrics(REQUEST)
    match = re.search(rb"^darkroom_thread (\S+)$", bytes(response.body), re.MULTILINE)
    assert match
    assert float(match[1]) == float(threading.get_ident())
