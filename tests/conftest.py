"""What all tests share: fixtures, the summary of slow tests, and the number of parallel workers."""

import os

import pytest

pytest_plugins = ["tests.servers.fixtures", "tests.adapters.fixtures", "tests.migrated", "tests.durations"]

_MOST_WORKERS = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers of `-n auto`: one more than there are processors, because tests also wait."""
    return min(len(os.sched_getaffinity(0)) + 1, _MOST_WORKERS)
