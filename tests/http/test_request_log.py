"""Which requests leave a log line, and how refusals are limited."""

from collections.abc import Callable, Iterator

import pytest
import structlog

from proxy.http.request_log import Mode, RequestLog

SCOPE = {"method": "GET", "raw_path": b"/t/acme/x/w10", "query_string": b"s=secret"}


class Timers:
    """Functions that were to run later; the test runs them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, _seconds: float, function: Callable[[], None]) -> None:
        self.waiting.append(function)

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("all", ["memory", "none", "render", "coalesced", "none"]),
        ("work", ["render", "none"]),
        ("none", []),
    ],
)
def test_the_mode_selects_requests(
    mode: Mode, expected: list[str], timers: Timers, lines: list[dict[str, object]]
) -> None:
    log = RequestLog(mode, timers)
    for tier, code in (("memory", None), ("none", None), ("render", None), ("coalesced", None), ("none", "seal")):
        log.write(SCOPE, tier, code, request="1", status=200)
    assert [line["tier"] for line in lines] == expected


def test_a_line_has_the_path_and_never_the_query(timers: Timers, lines: list[dict[str, object]]) -> None:
    RequestLog("all", timers).write(SCOPE, "memory", None, request="1", status=200, ms=0.1)
    assert lines == [
        {
            "event": "answered",
            "log_level": "info",
            "method": "GET",
            "path": "/t/acme/x/w10",
            "tier": "memory",
            "code": None,
            "request": "1",
            "status": 200,
            "ms": 0.1,
        }
    ]


def test_refusals_are_limited_per_code_and_second_and_the_rest_is_counted(
    timers: Timers, lines: list[dict[str, object]]
) -> None:
    log = RequestLog("work", timers)
    for _ in range(2_000):
        log.write(SCOPE, "none", "seal", request="1", status=403)
    log.write(SCOPE, "none", "busy", request="1", status=503)
    assert [line["code"] for line in lines] == ["seal"] * 10 + ["busy"]
    lines.clear()
    timers.run()
    assert [(line["event"], line["code"], line["count"]) for line in lines] == [("refusals not logged", "seal", 1_990)]
    lines.clear()
    log.write(SCOPE, "none", "seal", request="1", status=403)
    assert [line["event"] for line in lines] == ["answered"]
    timers.run()
    assert timers.waiting == []
    assert len(lines) == 1


def test_requests_that_are_not_http_are_limited_too(timers: Timers, lines: list[dict[str, object]]) -> None:
    log = RequestLog("work", timers)
    for number in range(50):
        log.write_unparsable(str(number))
    assert len(lines) == 10
    RequestLog("none", timers).write_unparsable("1")
    assert len(lines) == 10


def test_a_render_is_never_left_out(timers: Timers, lines: list[dict[str, object]]) -> None:
    log = RequestLog("work", timers)
    for _ in range(100):
        log.write(SCOPE, "render", None, request="1", status=200)
    assert len(lines) == 100
