"""The summary of slow tests names tests and folders by their whole time."""

from types import SimpleNamespace
from typing import cast

import pytest

from tests.durations import SLOWEST, Durations


def report(test: str, seconds: float) -> pytest.TestReport:
    return cast("pytest.TestReport", SimpleNamespace(nodeid=test, duration=seconds))


def test_phases_are_added_and_the_slowest_come_first() -> None:
    durations = Durations()
    for test, seconds in (("tests/a/test_x.py::one", 1), ("tests/a/test_x.py::one", 2), ("tests/test_y.py::two", 4)):
        durations.add(report(test, seconds))
    lines = [line.split(maxsplit=2) for line in durations.summary()]
    assert [(float(seconds), name) for seconds, _, name in lines] == [
        (4, "tests/test_y.py::two"),
        (3, "tests/a/test_x.py::one"),
        (4, "tests (1 tests)"),
        (3, "tests/a (1 tests)"),
        (7, "in total (2 tests)"),
    ]


def test_only_the_slowest_tests_are_listed() -> None:
    durations = Durations()
    for number in range(SLOWEST + 1):
        durations.add(report(f"tests/a/test_x.py::t{number}", number))
    lines = durations.summary()
    assert len(lines) == SLOWEST + 2
    assert not any(line.endswith("::t0") for line in lines)
