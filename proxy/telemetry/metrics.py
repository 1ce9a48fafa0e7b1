"""Metrics for Prometheus: what `/metrics` tells, row by row in docs/metrics.md."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Answers(Collector):
    """Answers as two plain numbers: they are counted on one event loop, so a hit needs no lock to be counted."""

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.sent_bytes = 0

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        told = "Requests answered, by status and by the tier the picture came from."
        requests = CounterMetricFamily("darkroom_requests", told, labels=["status", "tier"])
        for (status, tier), count in self.requests.items():
            requests.add_metric([str(status), tier], count)
        return requests, CounterMetricFamily("darkroom_sent_bytes", "Bytes of bodies sent.", self.sent_bytes)


class Metrics:
    """One process's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = _Answers()
        self.registry.register(self._answers)
        self._stages = Histogram(
            "darkroom_stage_seconds",
            "Time by stage of a request that was no hit in memory.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self._skips = Counter(
            "darkroom_tier_skipped", "Times a tier was out and passed over.", ["tier"], registry=self.registry
        )

    def answered(self, status: int, tier: str, sent_bytes: int) -> None:
        """Count one answer."""
        self._answers.requests[status, tier] += 1
        self._answers.sent_bytes += sent_bytes

    def staged(self, stages: tuple[tuple[str, float], ...]) -> None:
        """Observe the stages of one delivery, in seconds."""
        for stage, seconds in stages:
            self._stages.labels(stage).observe(seconds)

    def skipped(self, tier: str) -> None:
        """Count one tier passed over."""
        self._skips.labels(tier).inc()

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a value that is read when it is asked for."""
        Gauge(name, meaning, registry=self.registry).set_function(read)
