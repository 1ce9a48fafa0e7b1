"""What all tests share: fixtures, the summary of slow tests, and the number of parallel workers."""

import os

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.servers.fixtures",
    "tests.adapters.fixtures",
    "tests.migrated",
    "tests.durations",
    "tests.catalog.api.fixtures",
]

# Hypothesis's deadline of 200 ms per example is a timed assertion: it fails on a busy machine
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")

_MOST_WORKERS = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers of `-n auto`: one more than there are processors, because tests also wait."""
    return min(len(os.sched_getaffinity(0)) + 1, _MOST_WORKERS)
