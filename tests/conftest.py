"""What all tests share."""

from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures", "tests.adapters.fixtures"]

# the deadline of Hypothesis, 200 ms an example, is a timed assertion: it fails on a busy machine
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
