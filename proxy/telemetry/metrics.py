"""Metrics of one process for Prometheus; docs/operations.md describes each.

Theory. Values are counted on the event loop, and some are read from dictionaries to which the loop adds keys. So they
are also read on the event loop (`snapshot`), and only the text is made in a thread: no value changes while it is read.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Responses(Collector):
    """Responses as plain numbers: they are counted on one event loop, so counting a hit needs no lock."""

    def __init__(self) -> None:
        self.by_status_and_tier: dict[tuple[int, str], int] = {}
        self.fast = 0
        self.sent_bytes = 0

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        requests = CounterMetricFamily(
            "darkroom_requests_total",
            "Requests answered, by status and by the tier the picture came from.",
            labels=["status", "tier"],
        )
        for (status, tier), count in self.by_status_and_tier.items():
            requests.add_metric([str(status), tier], count)
        fast = CounterMetricFamily(
            "darkroom_fast_path_responses_total", "Responses written by the fast path.", self.fast
        )
        sent = CounterMetricFamily("darkroom_sent_bytes_total", "Bytes of bodies sent.", self.sent_bytes)
        return requests, fast, sent


class _CounterReading(Collector):
    """A counter whose values are kept elsewhere; `read` returns them by the value of `label` ("" without a label)."""

    def __init__(self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._description = description
        self._label = label
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        family = CounterMetricFamily(self._name, self._description, labels=[self._label] if self._label else [])
        for value, count in self._read().items():
            family.add_metric([value] if self._label else [], count)
        return (family,)


class _Snapshot(Collector):
    """Metrics as they were."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        return self._families


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._responses = _Responses()
        self.registry.register(self._responses)
        self._stages = Histogram(
            "darkroom_stage_seconds",
            "Duration of the stages of a request that memory could not answer.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self._skips = Counter(
            "darkroom_tier_skipped_total",
            "Times a tier was skipped because it did not answer.",
            ["tier"],
            registry=self.registry,
        )

    def count_response(self, status: int, tier: str, sent_bytes: int) -> None:
        """Count one response; `sent_bytes` is the length of its body."""
        counts = self._responses.by_status_and_tier
        counts[status, tier] = counts.get((status, tier), 0) + 1
        self._responses.sent_bytes += sent_bytes

    def count_fast_response(self, status: int, tier: str, sent_bytes: int) -> None:
        """Count one response that the fast path wrote."""
        self._responses.fast += 1
        self.count_response(status, tier, sent_bytes)

    def observe_stages(self, stages: tuple[tuple[str, float], ...]) -> None:
        """Observe the stages of one delivery, in seconds."""
        for stage, seconds in stages:
            self._stages.labels(stage).observe(seconds)

    def count_skip(self, tier: str) -> None:
        """Count one skip of a tier."""
        self._skips.labels(tier).inc()

    def snapshot(self) -> CollectorRegistry:
        """Return a registry of the present values; call it on the event loop. It may be read in any thread."""
        registry = CollectorRegistry()
        registry.register(_Snapshot(self.registry.collect()))
        return registry

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Export a value that may go up and down; `read` returns it."""
        Gauge(name, description, registry=self.registry).set_function(read)

    def counter(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Export a value that only grows, under a name that ends in `_total`; `read` returns it."""
        self.registry.register(_CounterReading(name, description, "", lambda: {"": read()}))

    def labelled_counter(
        self, name: str, description: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        """Export values that only grow, one for each value of `label`; `read` returns them."""
        self.registry.register(_CounterReading(name, description, label, read))
