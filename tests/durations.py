"""A plugin that summarises time at the end of a run: the slowest tests and the total of each folder.

The summary is printed and written to `.pytest-durations`. With pytest-xdist the reports of all workers arrive at the
controller, so the totals are the time of all workers together.
"""

from pathlib import Path

import pytest

SLOWEST = 25
FILE = ".pytest-durations"
_MANY = 50
"""A run of fewer tests is a run of a part, which needs no summary."""


class Durations:
    """Collects the time of each test: its fixtures' setup and teardown included."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Add one phase of a test."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def __len__(self) -> int:
        return len(self._seconds)

    def summary(self) -> list[str]:
        """Return the lines of the summary: the slowest tests, then the folders, the slowest first."""
        folders: dict[str, list[float]] = {}
        for test, seconds in self._seconds.items():
            folders.setdefault(_folder(test), []).append(seconds)
        slowest = sorted(((seconds, test) for test, seconds in self._seconds.items()), reverse=True)[:SLOWEST]
        totals = sorted(
            ((sum(all_), f"{folder} ({len(all_)} tests)") for folder, all_ in folders.items()), reverse=True
        )
        total = (sum(self._seconds.values()), f"in total ({len(self._seconds)} tests)")
        return [f"{seconds:8.2f} s  {name}" for seconds, name in (*slowest, *totals, total)]


class Plugin:
    """The hooks of one run."""

    def __init__(self, file: Path) -> None:
        self._durations = Durations()
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report, of this process or of a worker."""
        self._durations.add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary, and write it to the file."""
        if len(self._durations) < _MANY:
            return
        lines = self._durations.summary()
        terminalreporter.section("slowest tests and folders")
        for line in lines:
            terminalreporter.write_line(line)
        self._file.write_text("".join(f"{line}\n" for line in lines))


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks, except in workers: their reports arrive at the controller."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Plugin(config.rootpath / FILE))


def _folder(test: str) -> str:
    """Return the first two parts of a test's path: `tests/pixels`, or `tests` for a file without a folder."""
    parts = test.partition("::")[0].split("/")
    return "/".join(parts[: min(2, len(parts) - 1)])
