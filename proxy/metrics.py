"""Metrics for Prometheus: what `/metrics` tells, row by row in docs/metrics.md."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One process's counters; `requests` and the others keep their children, so counting a hit is one addition."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "darkroom_requests",
            "Requests answered, by status and by the tier the picture came from.",
            ["status", "tier"],
            registry=self.registry,
        )
        self._sent = Counter("darkroom_sent_bytes", "Bytes of bodies sent.", registry=self.registry)
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
        self._children: dict[tuple[int, str], Counter] = {}

    def answered(self, status: int, tier: str, sent_bytes: int) -> None:
        """Count one answer."""
        child = self._children.get((status, tier))
        if child is None:
            child = self._children[status, tier] = self._requests.labels(str(status), tier)
        child.inc()
        self._sent.inc(sent_bytes)

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
