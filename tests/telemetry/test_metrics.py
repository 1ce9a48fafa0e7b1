"""Metrics are read in a thread while the event loop counts, and counters are exported as counters."""

from prometheus_client import generate_latest

from proxy.telemetry.metrics import Metrics


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_responses_are_counted_by_status_and_tier() -> None:
    metrics = Metrics()
    metrics.count_response(200, "render", 10)
    metrics.count_response(200, "render", 10)
    metrics.count_fast_response(304, "none", 0)
    page = text(metrics)
    assert 'darkroom_requests_total{status="200",tier="render"} 2.0' in page
    assert 'darkroom_requests_total{status="304",tier="none"} 1.0' in page
    assert "darkroom_sent_bytes_total 20.0" in page
    assert "darkroom_fast_path_responses_total 1.0" in page


def test_a_snapshot_has_the_values_of_its_moment() -> None:
    metrics = Metrics()
    waiting = {"acme": 1}
    metrics.count_response(200, "memory", 1)
    metrics.gauge("darkroom_waiting", "Waiting.", lambda: sum(waiting.values()))
    metrics.labelled_counter("darkroom_x_total", "X.", "tenant", lambda: waiting)
    metrics.observe_stages((("render", 0.1),))
    snapshot = metrics.snapshot()
    before = generate_latest(snapshot)
    waiting["bolt"] = 5
    metrics.count_response(404, "none", 1)
    metrics.observe_stages((("fetch", 0.1),))
    assert generate_latest(snapshot) == before
    assert generate_latest(metrics.snapshot()) == generate_latest(metrics.registry) != before


def test_counters_are_counters_and_gauges_gauges() -> None:
    metrics = Metrics()
    metrics.gauge("darkroom_a", "A.", lambda: 3)
    metrics.counter("darkroom_b_total", "B.", lambda: 4)
    metrics.labelled_counter("darkroom_c_total", "C.", "reason", lambda: {"died": 2, "rss": 1})
    page = text(metrics)
    assert "# TYPE darkroom_a gauge\ndarkroom_a 3.0" in page
    assert "# TYPE darkroom_b_total counter\ndarkroom_b_total 4.0" in page
    assert 'darkroom_c_total{reason="died"} 2.0' in page
    assert 'darkroom_c_total{reason="rss"} 1.0' in page


def test_stages_and_skips_are_observed() -> None:
    metrics = Metrics()
    metrics.observe_stages((("fetch", 0.002), ("render", 0.3)))
    metrics.count_skip("redis")
    page = text(metrics)
    assert 'darkroom_stage_seconds_count{stage="render"} 1.0' in page
    assert 'darkroom_stage_seconds_sum{stage="fetch"} 0.002' in page
    assert 'darkroom_tier_skipped_total{tier="redis"} 1.0' in page
